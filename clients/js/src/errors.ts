// The one error that reading a stream throws, apart from the reason of an aborted signal.

export interface ErrorDetails {
  status?: number | null;
  retryAfter?: number | null;
  text?: Record<string, string>;
  cause?: unknown;
}

/**
 * The stream did not arrive completely, or the server refused the request.
 *
 * `code`: the server's own code if it sent one. Otherwise `network` (no answer to the question), `interrupted` (the
 * stream broke and could not be resumed), `expired` (the server has forgotten the stream), `protocol` (the answer is
 * not a stream of msgmodel's) or `http` (an error status without a code).
 */
export class StreamError extends Error {
  override readonly name = "StreamError";
  /** The HTTP status; null if there was no answer. */
  readonly status: number | null;
  /** Seconds that the server asks to wait. */
  readonly retryAfter: number | null;
  /** The text of each panel that had arrived, by panel id. */
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

/** Return the error for a response with an error status and this body. */
export function errorFromResponse(response: Response, body: string): StreamError {
  const { code, message } = parseErrorBody(body);
  return new StreamError(code ?? "http", message ?? `the server answered with status ${response.status}`, {
    status: response.status,
    retryAfter: parseRetryAfter(response.headers.get("retry-after")),
  });
}

function parseErrorBody(body: string): { code?: string; message?: string } {
  try {
    return JSON.parse(body).error ?? {};
  } catch {
    return {}; // for example a proxy's HTML page
  }
}

/** Read seconds from a `retry-after` header, which holds a number of seconds or a date. */
function parseRetryAfter(header: string | null): number | null {
  if (!header) return null;
  const seconds = Number.isNaN(Number(header)) ? (Date.parse(header) - Date.now()) / 1000 : Number(header);
  return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}

/** Return the message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
