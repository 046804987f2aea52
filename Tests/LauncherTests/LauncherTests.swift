// The launcher by itself: what a program sees that it started, and what is left when somebody is
// killed.

import Foundation
import StatexHandlerAPI
import Testing

@testable import StatexProcesses

@Suite(.timeLimit(.minutes(3))) struct LauncherTests {
    // MARK: the walls

    @Test func theReportTellsWhichWallsStand() throws {
        let yard = try Yard()
        defer { yard.remove() }
        let full = try yard.run("true")
        #expect(full.report?.missing.contains { $0.hasPrefix("Landlock") || $0.hasPrefix("seccomp") } == false)
        let expected: [IsolationLevel] = [full.report?.level ?? .basic, .partial, .partial, .basic]
        for (layers, level) in zip(allLayers, expected) {
            let run = try yard.run("true") { $0.leavesOut = layers }
            #expect(run.report?.level == level)
            for layer in layers {
                #expect(run.report?.missing.contains { $0.lowercased().hasPrefix(layer.rawValue) } == true)
            }
        }
        #expect(probeIsolation(launcher: Yard.launcher, scratchRoot: yard.scratch) == full.report)
    }

    @Test func aDemandThatCannotBeMetIsRefusedWithTheReason() throws {
        let yard = try Yard()
        defer { yard.remove() }
        let run = try yard.run("echo ran") {
            $0.isolation = .strict
            $0.leavesOut = [.namespaces]
        }
        #expect(run.failure == "isolation strict is demanded, but only partial is possible here")
        #expect(run.output == "")
        #expect(yard.directoriesLeft() == [])
    }

    @Test(arguments: allLayers.dropLast()) func noNetworkIsReached(without: Set<IsolationLayer>) throws {
        let yard = try Yard()
        defer { yard.remove() }
        let listener = try Listener(yard.directory)
        defer { listener.close() }
        let run = try yard.python(
            """
            import socket, ctypes
            def attempt(name, body):
                try: body(); print(name, 'reached')
                except OSError: pass
            def connect(family, kind, address):
                s = socket.socket(family, kind); s.settimeout(2); s.connect(address); s.send(b'x')
            port = \(listener.port)
            attempt('tcp', lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ('127.0.0.1', port)))
            attempt('udp', lambda: connect(socket.AF_INET, socket.SOCK_DGRAM, ('192.0.2.1', 53)))
            attempt('tcp6', lambda: connect(socket.AF_INET6, socket.SOCK_STREAM, ('::1', port)))
            attempt('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
            attempt('packet', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
            attempt('unix', lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, '\(listener.path)'))
            attempt('abstract', lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, '\\0\(listener.name)'))
            attempt('dns', lambda: socket.getaddrinfo('localhost.example.', 80))
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.syscall(425, 8, ctypes.create_string_buffer(256)) >= 0: print('io_uring reached')
            print('end')
            """
        ) { $0.leavesOut = without }
        #expect(run.output == "end\n")
    }

    @Test func aNetworkThatIsAllowedIsReachedAndSaidToBe() throws {
        let yard = try Yard()
        defer { yard.remove() }
        let listener = try Listener(yard.directory)
        defer { listener.close() }
        let run = try yard.python(
            "import socket; s = socket.create_connection(('127.0.0.1', \(listener.port)), 5); print('reached')"
        ) { $0.allowsNetwork = true }
        #expect(run.output == "reached\n")
        #expect(run.report?.level == .basic)
        #expect(run.report?.missing.contains("no network: allowed by configuration") == true)
    }

    @Test(arguments: allLayers.dropLast(2)) func foreignFilesAreNeitherReadNorWritten(without: Set<IsolationLayer>)
        throws
    {
        let yard = try Yard()
        defer { yard.remove() }
        try Data("secret".utf8).write(to: URL(fileURLWithPath: yard.directory + "/secret"))
        let run = try yard.python(
            """
            import os
            def attempt(name, body):
                try: print(name, body())
                except OSError: pass
            for path in ['/etc/shadow', '/proc/1/environ', '/root', '/home', '/var/log', '/run', '\(yard.directory)/secret']:
                attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else open(path).read(9))
            attempt('parent', lambda: open(f'/proc/{os.getppid()}/environ').read())
            for path in ['/usr/x', '/etc/x', '/x', '/tmp/../x', '\(yard.directory)/x', '/proc/sys/kernel/hostname']:
                attempt(path, lambda: open(path, 'w'))
            open('own', 'w').write('1'); print(open('own').read())
            """
        ) { $0.leavesOut = without }
        #expect(run.output == "1\n")
    }

    @Test func aPathThatIsGivenIsReadWhereverItLies() throws {
        let yard = try Yard()
        defer { yard.remove() }
        let deep = yard.directory + "/closed/model"
        try FileManager.default.createDirectory(atPath: deep, withIntermediateDirectories: true)
        try Data("weights".utf8).write(to: URL(fileURLWithPath: deep + "/file"))
        chmod(deep + "/file", 0o644)
        chmod(deep, 0o755)
        chmod(yard.directory + "/closed", 0o700)
        try FileManager.default.createSymbolicLink(atPath: yard.directory + "/link", withDestinationPath: deep)
        let run = try yard.run(
            "cat \(yard.directory)/link/file; echo x 2>/dev/null >\(yard.directory)/link/file || echo kept"
        ) {
            $0.readPaths = [yard.directory + "/link"]
        }
        if run.report?.level == .strict { #expect(run.output == "weightskept\n") }
    }

    @Test(arguments: [[], [.landlock], [.namespaces]] as [Set<IsolationLayer>])
    func privilegesAreGoneForGood(without: Set<IsolationLayer>) throws {
        let yard = try Yard()
        defer { yard.remove() }
        let run = try yard.python(
            """
            import os, subprocess, ctypes
            libc = ctypes.CDLL(None, use_errno=True)
            status = dict(line.split(':', 1) for line in open('/proc/self/status') if ':' in line)
            print(os.getuid() != 0, status['NoNewPrivs'].strip(), int(status['CapEff'], 16), int(status['CapPrm'], 16))
            print(libc.unshare(0x10000000), libc.ptrace(0, 0, 0, 0), libc.mount(b'x', b'/', b'tmpfs', 0, None))
            print(os.getsid(0) == os.getpid(), os.stat('.').st_mode & 0o777 == 0o700, os.umask(0) == 0o077)
            """
        ) { $0.leavesOut = without }
        #expect(run.output == "True 1 0 0\n-1 -1 -1\nTrue True True\n")
    }

    @Test func theSupervisorsCannotBeSignalled() throws {
        for layers in allLayers.dropLast() {
            let yard = try Yard()
            defer { yard.remove() }
            let run = try yard.python(
                """
                import os, signal
                for pid in (os.getppid(), -1):
                    try: os.kill(pid, signal.SIGKILL) if pid > 0 else None
                    except OSError: pass
                print('here')
                import time; time.sleep(0.1)
                print('still')
                """
            ) { $0.leavesOut = layers }
            #expect(run.output == "here\nstill\n")
            #expect(run.ending == .exited(status: 0), "\(layers)")
        }
    }

    // MARK: the private directory

    @Test(arguments: [[], [.namespaces, .landlock]] as [Set<IsolationLayer>])
    func aHostileTreeIsWipedAndNothingOutsideIsTouched(without: Set<IsolationLayer>) throws {
        let yard = try Yard()
        defer { yard.remove() }
        let outside = yard.directory + "/outside"
        try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: false)
        try Data("kept".utf8).write(to: URL(fileURLWithPath: outside + "/file"))
        chmod(outside, 0o777)
        let run = try yard.python(
            """
            import os
            top = os.getcwd()
            os.symlink('\(outside)', 'link'); os.symlink('/', 'root'); os.symlink('self', 'self')
            os.mkdir('closed'); open('closed/f', 'w').close(); os.mkdir('closed/in'); os.chmod('closed/in', 0); os.chmod('closed', 0)
            for name in (b'new\\nline', b'\\xff\\xfe', b'-rf', b' ', b'*', b'x' * 255, b'.hidden'):
                os.mkdir(name); open(name + b'/' + name[:200], 'w').close()
            os.mkfifo('fifo')
            open('readonly', 'w').close(); os.chmod('readonly', 0)
            for depth in range(200):
                os.mkdir('d' * 100); os.symlink('\(outside)', 'l'); os.chdir('d' * 100)
            os.chdir(top); os.chmod('.', 0o500)
            print('made', flush=True)
            import time; time.sleep(1000)
            """
        ) {
            $0.leavesOut = without
            // Of the watch's limits, which would end it first.
            $0.limits.diskBytes = 0
            $0.limits.entries = 0
        } while: { process in
            _ = process.awaitLine()
            let isWiped = process.settle()
            #expect(isWiped)
            #expect((try? FileManager.default.contentsOfDirectory(atPath: process.path)) == [])
            process.end(graceMilliseconds: 0)
        }
        #expect(run.output == "")
        #expect(try String(contentsOfFile: outside + "/file", encoding: .utf8) == "kept")
        #expect(yard.directoriesLeft() == [])
    }

    @Test func aSweepRemovesWhatNoLauncherHoldsAndNothingElse() throws {
        let yard = try Yard()
        defer { yard.remove() }
        var live = try HandlerProcess.spawn(yard.settings(["/bin/sh", "-c", "echo up; sleep 1000"]))
        let word = live.awaitLine()
        #expect(word == "up")
        try FileManager.default.createDirectory(atPath: yard.scratch + "/dead/x/y", withIntermediateDirectories: true)
        sweepScratch(yard.settings(["/bin/true"]))
        #expect(yard.directoriesLeft() == [(live.path as NSString).lastPathComponent])
        live.end(graceMilliseconds: 0)
        #expect(yard.directoriesLeft() == [])
    }

    // MARK: the end

    /// A worker, its handler, and the handler's escaped grandchildren; the worker or the launcher is
    /// killed at once, many times.
    @Test(arguments: allLayers, [Worker.Victim.worker, .launcher])
    func killNineLeavesNothing(without: Set<IsolationLayer>, victim: Worker.Victim) throws {
        for _ in 0..<(without.isEmpty ? 50 : 25) {
            let yard = try Yard()
            defer { yard.remove() }
            let worker = try Worker(yard, without: without)
            #expect(try yard.processesLeft().count >= 9)
            worker.kill(victim)
            #expect(try yard.processesLeft() == [])
        }
    }
}
