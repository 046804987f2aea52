#!/usr/bin/env python3
"""A holder of a key who sends a message that never ends: frame after frame, each with another to follow.

CURVE by hand (RFC 26), because libzmq sends no message before it is whole.
Usage: endless.py HOST:PORT NAME.key SERVER.pub MEGABYTES. Says how many it got rid of.
"""
import ctypes, ctypes.util, os, re, socket, struct, sys

sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
zmq = ctypes.CDLL(ctypes.util.find_library("zmq") or "libzmq.so.5")


def key(path, name):
    text = re.search(rf'{name}\s*=\s*"([^"]+)"', open(path).read()).group(1)
    raw = ctypes.create_string_buffer(32)
    assert zmq.zmq_z85_decode(raw, text.encode())
    return raw.raw


def box(text, nonce, public, secret):
    out = ctypes.create_string_buffer(len(text) + 16)
    assert sodium.crypto_box_easy(out, text, ctypes.c_ulonglong(len(text)), nonce, public, secret) == 0
    return out.raw


def unbox(sealed, nonce, public, secret):
    out = ctypes.create_string_buffer(len(sealed) - 16)
    assert sodium.crypto_box_open_easy(out, sealed, ctypes.c_ulonglong(len(sealed)), nonce, public, secret) == 0
    return out.raw


def pair():
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
    sodium.crypto_box_keypair(public, secret)
    return public.raw, secret.raw


def exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        assert more, "the connection was closed"
        data += more
    return data


def frame(connection):
    flags = exactly(connection, 1)[0]
    size = struct.unpack(">Q", exactly(connection, 8))[0] if flags & 2 else exactly(connection, 1)[0]
    return exactly(connection, size)


def framed(flags, body):
    return struct.pack(">BQ", flags | 2, len(body)) + body if len(body) > 255 else bytes([flags, len(body)]) + body


def handshake(connection, own_public, own_secret, server):
    connection.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32))
    exactly(connection, 64)
    public, secret = pair()
    number = struct.pack(">Q", 1)
    hello = b"\x05HELLO\x01\x00" + bytes(72) + public + number
    connection.sendall(framed(4, hello + box(bytes(64), b"CurveZMQHELLO---" + number, server, secret)))
    welcome = frame(connection)
    opened = unbox(welcome[24:], b"WELCOME-" + welcome[8:24], server, secret)
    theirs, cookie = opened[:32], opened[32:]
    nonce, number = os.urandom(16), struct.pack(">Q", 2)
    vouch = box(public + server, b"VOUCH---" + nonce, theirs, own_secret)
    about = b"\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"
    sealed = box(own_public + nonce + vouch + about, b"CurveZMQINITIATE" + number, theirs, secret)
    connection.sendall(framed(4, b"\x08INITIATE" + cookie + number + sealed))
    assert frame(connection).startswith(b"\x05READY"), "not let in"
    return theirs, secret


def main():
    place, own, server, megabytes = sys.argv[1:]
    host, port = place.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)))
    theirs, secret = handshake(connection, key(own, "public-key"), key(own, "secret-key"), key(server, "public-key"))
    print("in", flush=True)
    sent, piece = 0, b"\x01" + bytes(60_000)
    try:
        for count in range(3, 3 + int(megabytes) * 1_000_000 // 60_000):
            number = struct.pack(">Q", count)
            body = b"\x07MESSAGE" + number + box(piece, b"CurveZMQMESSAGEC" + number, theirs, secret)
            connection.sendall(framed(0, body))
            sent += 60_000
    except OSError:
        print(f"cut after {sent // 1_000_000} MB", flush=True)
        return
    print(f"sent {sent // 1_000_000} MB", flush=True)
    connection.recv(1)


main()
