// How long to wait before the next attempt, and when to give up. Pure: the caller passes the clock and the dice.

export interface Limits {
  /** Attempts in a row that deliver nothing. Default: 10. */
  maxRetries?: number;
  /** Milliseconds without progress after which the client gives up; time without a network is free. Default: 5 minutes. */
  giveUpAfter?: number;
  /** Milliseconds: the first wait is at most this long, each next one at most twice as long. Default: 500. */
  retryDelay?: number;
  /** Milliseconds: the longest wait, unless the server asks for a longer one. Default: 15 seconds. */
  maxRetryDelay?: number;
}

/** Exponential backoff with full jitter, so that many pages that lost a server do not all return at the same moment. */
export class Backoff {
  #failures = 0;
  #firstFailureAt = 0;
  readonly #limits: Required<Limits>;

  constructor(
    limits: Limits,
    private readonly now: () => number = () => performance.now(),
    private readonly random: () => number = Math.random,
  ) {
    this.#limits = { maxRetries: 10, giveUpAfter: 300_000, retryDelay: 500, maxRetryDelay: 15_000, ...limits };
  }

  get failed(): boolean {
    return this.#failures > 0;
  }

  /** Forget all earlier failures: the connection delivered something. */
  succeed(): void {
    this.#failures = 0;
  }

  fail(): void {
    if (this.#failures === 0) this.#firstFailureAt = this.now();
    this.#failures += 1;
  }

  /** Move the time of giving up by so many milliseconds: there was no network to try. */
  extendDeadline(milliseconds: number): void {
    this.#firstFailureAt += milliseconds;
  }

  /** Return the milliseconds to wait before the next attempt, at least `atLeast`; null if it is time to give up. */
  delay(atLeast = 0): number | null {
    const { maxRetries, giveUpAfter, retryDelay, maxRetryDelay } = this.#limits;
    const longest = Math.min(maxRetryDelay, retryDelay * 2 ** (this.#failures - 1));
    const chosen = Math.max(atLeast, this.random() * longest);
    const late = this.now() - this.#firstFailureAt + chosen > giveUpAfter;
    return late || this.#failures > maxRetries ? null : chosen;
  }
}
