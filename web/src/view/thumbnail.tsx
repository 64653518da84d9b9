/** A file of the user's: a picture as a picture, anything else by name and size. */

import { useEffect, useState } from "preact/hooks";
import { formatBytes } from "../attachments";
import { getFile } from "../database";
import type { Attachment } from "../model";
import { texts } from "../texts";
import { Icon, IconButton } from "./icons";

/** An SVG can hold a script, which a browser does not run in an `img`. */
const PICTURES = /^image\/(?:png|jpeg|webp|gif|avif|svg\+xml|bmp)$/;

/** `onRemove`: only for a file that is not sent yet. */
export function Thumbnail({ file, onRemove }: { file: Attachment; onRemove?: () => void }) {
  const address = useAddress(PICTURES.test(file.type) ? file : null);
  const title = `${file.name}, ${formatBytes(file.size)}`;
  const remove = onRemove && (
    <IconButton icon="close" label={texts.composer.removeFile(file.name)} class="s" onClick={onRemove} />
  );
  if (address !== null) {
    return (
      <span class={`thumb ${onRemove ? "s" : ""}`} title={title} {...(onRemove && { "data-testid": "chip" })}>
        <img src={address} alt={file.name} />
        {remove}
      </span>
    );
  }
  return (
    <span class="filechip" title={title} {...(onRemove && { "data-testid": "chip" })}>
      <Icon name="file" />
      <span class="filename">
        <span dir="auto">{file.name}</span>
        <small>{formatBytes(file.size)}</small>
      </span>
      {remove}
    </span>
  );
}

/** Return an address of the file's bytes in the browser's storage, for as long as it is drawn. */
function useAddress(file: Attachment | null): string | null {
  const [address, setAddress] = useState<string | null>(null);
  const id = file?.id ?? null;
  useEffect(() => {
    if (id === null) return;
    let made: string | null = null;
    let left = false;
    getFile(id).then(
      (bytes) => {
        if (left || bytes === undefined) return;
        made = URL.createObjectURL(bytes);
        setAddress(made);
      },
      () => {}, // without its bytes it is shown by its name
    );
    return () => {
      left = true;
      if (made !== null) URL.revokeObjectURL(made);
    };
  }, [id]);
  return address;
}
