// Records the microphone as a WAV file of 16 bits, one channel: what MediaRecorder makes (Opus in WebM) the audio handler
// does not read, and speech models take 16 kHz anyway.

const rate = 16_000;
/** 30 minutes are 58 MB. */
export const longest = 1_800;

export class Recorder {
  /** @param onLevel hears seconds so far and the loudest sample (0 to 1) of the last block */
  static async begin(onLevel) {
    if (!navigator.mediaDevices?.getUserMedia) throw new Error("A browser records only on https:// and on this machine’s own address.");
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false } });
    try {
      const context = await opened(stream);
      await context.audio.audioWorklet.addModule("/assets/recorder-worklet.js");
      return new Recorder(stream, context, onLevel);
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      throw error;
    }
  }

  constructor(stream, { audio, source }, onLevel) {
    this.stream = stream;
    this.audio = audio;
    this.blocks = [];
    this.length = 0;
    const node = new AudioWorkletNode(audio, "samples", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => {
      const block = new Int16Array(data.length);
      let loudest = 0;
      data.forEach((sample, index) => {
        loudest = Math.max(loudest, Math.abs(sample));
        block[index] = Math.max(-1, Math.min(1, sample)) * 32_767;
      });
      this.blocks.push(block);
      this.length += block.length;
      onLevel(this.length / audio.sampleRate, loudest);
    };
    source.connect(node);
  }

  /** Ends it, lets the microphone go, and returns the file. */
  async end() {
    for (const track of this.stream.getTracks()) track.stop();
    const { sampleRate } = this.audio;
    await this.audio.close();
    return new Blob([header(this.length * 2, sampleRate), ...this.blocks], { type: "audio/wav" });
  }
}

/** Firefox does not resample a microphone: there it is recorded at its own rate. */
async function opened(stream) {
  for (const options of [{ sampleRate: rate }, {}]) {
    const audio = new AudioContext(options);
    try {
      const source = audio.createMediaStreamSource(stream);
      await audio.resume();
      return { audio, source };
    } catch (error) {
      await audio.close();
      if (!options.sampleRate) throw error;
    }
  }
}

function header(bytes, sampleRate) {
  const view = new DataView(new ArrayBuffer(44));
  const write = (at, text) => [...text].forEach((letter, index) => view.setUint8(at + index, letter.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, 36 + bytes, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, "data");
  view.setUint32(40, bytes, true);
  return view.buffer;
}
