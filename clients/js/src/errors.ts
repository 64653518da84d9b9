// The one error that reading a stream raises, beside the reason of an aborted signal.

export interface ErrorDetails {
  status?: number | null;
  retryAfter?: number | null;
  text?: Record<string, string>;
  cause?: unknown;
}

/**
 * The stream did not come whole, or the server refused.
 *
 * `code`: the server's own word where it gave one, else `network` (no answer to the question), `interrupted` (the
 * stream broke and could not be taken up again), `expired` (the server has forgotten it), `protocol` (an answer that
 * is no such stream) or `http` (an error status without a word about it).
 */
export class StreamError extends Error {
  override readonly name = "StreamError";
  /** The HTTP status, where there was an answer. */
  readonly status: number | null;
  /** Seconds that the server asks to wait. */
  readonly retryAfter: number | null;
  /** What had arrived of each panel's text, by its id. */
  readonly text: Record<string, string>;

  constructor(
    readonly code: string,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, { cause: details.cause });
    this.status = details.status ?? null;
    this.retryAfter = details.retryAfter ?? null;
    this.text = details.text ?? {};
  }
}

/** The error that an answer with an error status, and this body, stands for. */
export function refusal(response: Response, body: string): StreamError {
  const { code, message } = told(body);
  return new StreamError(code ?? "http", message ?? `the server answered with status ${response.status}`, {
    status: response.status,
    retryAfter: retryAfter(response.headers.get("retry-after")),
  });
}

function told(body: string): { code?: string; message?: string } {
  try {
    return JSON.parse(body).error ?? {};
  } catch {
    return {}; // a proxy's page, say
  }
}

/** Seconds from a number of them or a date. */
function retryAfter(header: string | null): number | null {
  if (!header) return null;
  const seconds = Number.isNaN(Number(header)) ? (Date.parse(header) - Date.now()) / 1000 : Number(header);
  return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}
