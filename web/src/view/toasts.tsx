/** Short messages above the composer. */

import { texts } from "../texts";
import { dropToast, holdToasts, releaseToasts, toasts } from "../toasts";

export function Toasts() {
  return (
    <div
      class="toasts"
      role="status"
      onPointerEnter={holdToasts}
      onPointerLeave={releaseToasts}
      onFocusIn={holdToasts}
      onFocusOut={releaseToasts}
    >
      {toasts.value.map(({ id, text, undo }) => (
        <div key={id} class="toast" data-testid="toast">
          <p>{text}</p>
          {undo && (
            <button
              type="button"
              data-testid="undo"
              onClick={() => {
                dropToast(id);
                undo();
              }}
            >
              {texts.toast.undo}
            </button>
          )}
        </div>
      ))}
    </div>
  );
}
