// Every wait of the client. Each one ends at once when the reader leaves, and leaves no timer or listener behind.

/** Return the result of `work`, unless the signal is aborted or `milliseconds` pass first. */
export function withTimeout<T>(work: Promise<T>, signal: AbortSignal, milliseconds: number): Promise<T> {
  return untilAborted(signal, (resolve, reject) => {
    work.then(resolve, reject);
    return startTimer(milliseconds, () => reject(new Error(`nothing arrived for ${milliseconds / 1000} s`)));
  });
}

/** Wait for `milliseconds`; shorter if `hurry` is set and the network comes back or the page becomes visible. */
export function pause(milliseconds: number, signal: AbortSignal, hurry: boolean): Promise<void> {
  return untilAborted(signal, (resolve) => {
    const cleanups = [startTimer(milliseconds, resolve)];
    if (hurry) {
      cleanups.push(listen(globalThis, "online", resolve));
      const resolveIfVisible = () => document.visibilityState === "visible" && resolve();
      cleanups.push(listen(globalThis.document, "visibilitychange", resolveIfVisible));
    }
    return () => runAll(cleanups);
  });
}

/** Whether the browser knows that there is no network. Outside of a browser nothing tells. */
export function isOffline(): boolean {
  return globalThis.navigator?.onLine === false;
}

/** Wait until the browser reports a network. */
export function networkReturns(signal: AbortSignal): Promise<void> {
  return untilAborted(signal, (resolve) => listen(globalThis, "online", resolve));
}

// `setTimeout` fires at once if the delay is longer than this
// (https://developer.mozilla.org/en-US/docs/Web/API/Window/setTimeout#maximum_delay_value).
const LONGEST_TIMER = 2 ** 31 - 1;

type Cleanup = () => void;
type Start<T> = (resolve: (value: T) => void, reject: (reason: unknown) => void) => Cleanup;

/** Start a wait that also ends, with the signal's reason, when the signal is aborted; clean up in any case. */
function untilAborted<T>(signal: AbortSignal, start: Start<T>): Promise<T> {
  let cleanups: Cleanup[] = [];
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    cleanups = [listen(signal, "abort", abort), start(resolve, reject)];
    if (signal.aborted) abort();
  }).finally(() => runAll(cleanups));
}

function runAll(cleanups: Cleanup[]): void {
  for (const cleanup of cleanups) cleanup();
}

function startTimer(milliseconds: number, onEnd: () => void): Cleanup {
  const id = setTimeout(onEnd, Math.min(milliseconds, LONGEST_TIMER));
  return () => clearTimeout(id);
}

// Node has no document, and no events on its global object.
function listen(target: Partial<EventTarget> | undefined, type: string, listener: () => void): Cleanup {
  target?.addEventListener?.(type, listener);
  return () => target?.removeEventListener?.(type, listener);
}
