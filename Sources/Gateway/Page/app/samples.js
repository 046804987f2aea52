// What was asked for in the last minutes, kept in memory for the plots.
import { now, seconds } from "./format.js";

const most = 400;

export class Samples {
  all = [];
  counted = null;
  seen = new Set();

  clear() {
    this.all = [];
    this.counted = null;
    this.seen = new Set();
  }

  get last() { return this.all.at(-1); }

  /** One look: rates from what the scheduler counted since the look before, times from jobs that ended since. */
  add(status, jobs) {
    const at = now();
    const sample = { at, rates: this.rates(status, at), times: this.times(jobs) };
    this.all.push(sample);
    if (this.all.length > most) this.all.shift();
  }

  rates(status, at) {
    if (!status.counts) return null;
    const before = this.counted;
    this.counted = { at, counts: status.counts, epoch: status.epoch };
    // Another scheduler counts from 0, and a pause is not a rate.
    if (!before || before.epoch !== status.epoch || at - before.at > 30) return null;
    const per = (...names) => names.reduce((sum, name) => sum + Math.max(0, (status.counts[name] ?? 0) - (before.counts[name] ?? 0)), 0) / (at - before.at);
    return { submitted: per("submitted"), succeeded: per("succeeded"), failed: per("failed", "dead", "expired") };
  }

  times(jobs) {
    const first = this.seen.size === 0;
    const ended = jobs.filter((job) => job.ended_at && !this.seen.has(job.id));
    this.seen = new Set([...this.seen, ...ended.map((job) => job.id)].slice(-1_000));
    if (first || ended.length === 0) return null;
    const whole = sorted(ended.map((job) => seconds(job.ended_at) - seconds(job.created_at)));
    const wait = sorted(ended.map((job) => seconds(job.leased_at) - seconds(job.created_at)));
    return { p50: part(whole, 0.5), p95: part(whole, 0.95), wait: part(wait, 0.5) };
  }
}

function sorted(values) {
  return values.filter((value) => Number.isFinite(value) && value >= 0).sort((a, b) => a - b);
}

function part(values, share) {
  return values.length ? values[Math.min(values.length - 1, Math.floor(values.length * share))] : NaN;
}
