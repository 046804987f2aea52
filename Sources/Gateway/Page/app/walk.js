// Lists walk back in bounded steps, and may answer nothing but where to go on: so many steps are followed by themselves.
import { get } from "./api.js";

const steps = 40;
/** What took more steps is not asked for again and again. */
const mostRepeated = 3;

/**
 * @param wanted says how many more there may be; 0: it is enough
 * @param take gets the answer of each step
 * @returns where to go on (null: there is no more), and whether it was a long search
 */
export async function walk(path, query, { cursor = "", wanted, take }, signal) {
  let next = cursor;
  let step = 0;
  do {
    step += 1;
    const answer = await get(path, { ...query, limit: wanted(), cursor: next }, signal);
    take(answer);
    next = answer.next;
  } while (next && wanted() > 0 && step < steps);
  return { next, long: step > mostRepeated };
}

/** Under a list that took a long search. */
export const notRepeated = "It was a long search, and is not repeated by itself: Show looks again.";
