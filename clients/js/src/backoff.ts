// How long to wait before the next attempt, and when to give up. Pure: the clock and the dice are handed in.

export interface Limits {
  /** Attempts in a row that bring nothing. Default: 10. */
  maxRetries?: number;
  /** Milliseconds without a sign of life, those without a network not counted. Default: 5 minutes. */
  giveUpAfter?: number;
  /** Milliseconds: the first wait is at most this, each next one at most twice as long. Default: 500. */
  retryDelay?: number;
  /** Milliseconds: no wait is longer, unless the server asks for it. Default: 15 seconds. */
  maxRetryDelay?: number;
}

/** Exponential backoff with full jitter: many pages that lost a server do not come back all at once. */
export class Backoff {
  #failures = 0;
  #since = 0;
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

  /** The connection brought something: all failures before are forgotten. */
  succeed(): void {
    this.#failures = 0;
  }

  fail(): void {
    if (this.#failures === 0) this.#since = this.now();
    this.#failures += 1;
  }

  /** This time does not count: there was no network to try. */
  excuse(milliseconds: number): void {
    this.#since += milliseconds;
  }

  /** Milliseconds to wait now, at least so many; null: it is time to give up. */
  delay(atLeast = 0): number | null {
    const { maxRetries, giveUpAfter, retryDelay, maxRetryDelay } = this.#limits;
    const most = Math.min(maxRetryDelay, retryDelay * 2 ** (this.#failures - 1));
    const chosen = Math.max(atLeast, this.random() * most);
    const late = this.now() - this.#since + chosen > giveUpAfter;
    return late || this.#failures > maxRetries ? null : chosen;
  }
}
