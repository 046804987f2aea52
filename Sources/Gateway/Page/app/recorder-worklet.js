// Runs on the audio thread: hands the microphone's samples over, a tenth of a second or so at a time.
class Samples extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(2_048);
    this.used = 0;
  }

  process([input]) {
    const samples = input[0];
    if (!samples) return true;
    for (const sample of samples) {
      this.block[this.used] = sample;
      this.used += 1;
      if (this.used < this.block.length) continue;
      this.port.postMessage(this.block);
      this.used = 0;
    }
    return true;
  }
}

registerProcessor("samples", Samples);
