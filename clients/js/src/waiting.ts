// Every wait of the client. Each ends at once when the reader leaves, and leaves no timer or listener behind.

/** The answer to `work`, unless the signal is aborted or so many milliseconds pass first. */
export function within<T>(work: Promise<T>, signal: AbortSignal, milliseconds: number): Promise<T> {
  return waiting(signal, (resolve, reject) => {
    work.then(resolve, reject);
    return timer(milliseconds, () => reject(new Error(`nothing came for ${milliseconds / 1000} s`)));
  });
}

/** So many milliseconds; less when `hurry` is set and the network or the user comes back. */
export function pause(milliseconds: number, signal: AbortSignal, hurry: boolean): Promise<void> {
  return waiting(signal, (resolve) => {
    const undo = [timer(milliseconds, resolve)];
    if (hurry) {
      undo.push(listen(globalThis, "online", resolve));
      const look = () => document.visibilityState === "visible" && resolve();
      undo.push(listen(globalThis.document, "visibilitychange", look));
    }
    return () => undo.forEach((each) => each());
  });
}

/** Whether the browser is sure that there is no network. Elsewhere nobody knows. */
export function offline(): boolean {
  return globalThis.navigator?.onLine === false;
}

/** Until the browser says that there is a network again. */
export function online(signal: AbortSignal): Promise<void> {
  return waiting(signal, (resolve) => listen(globalThis, "online", resolve));
}

// A timer for longer than this rings at once.
const LONGEST = 2 ** 31 - 1;

type Start<T> = (resolve: (value: T) => void, reject: (reason: unknown) => void) => () => void;

function waiting<T>(signal: AbortSignal, start: Start<T>): Promise<T> {
  let undo: (() => void)[] = [];
  return new Promise<T>((resolve, reject) => {
    const leave = () => reject(signal.reason);
    undo = [listen(signal, "abort", leave), start(resolve, reject)];
    if (signal.aborted) leave();
  }).finally(() => undo.forEach((each) => each()));
}

function timer(milliseconds: number, done: () => void): () => void {
  const id = setTimeout(done, Math.min(milliseconds, LONGEST));
  return () => clearTimeout(id);
}

// Node has neither a document nor events of its own on the global object.
function listen(target: Partial<EventTarget> | undefined, type: string, heard: () => void): () => void {
  target?.addEventListener?.(type, heard);
  return () => target?.removeEventListener?.(type, heard);
}
