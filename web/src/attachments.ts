/** Files of the next message: checked against the server's limits, then kept in the browser's storage. */

import { putFile } from "./database";
import { type Attachment, newId } from "./model";
import { service } from "./providers";
import { texts } from "./texts";

const BASE64_GROWTH = 4 / 3;
const RESERVED_FOR_TEXT = 64 * 1024;

export const formatBytes = (size: number): string =>
  size < 1000 ? `${size} B` : size < 1e6 ? `${(size / 1000).toFixed(0)} kB` : `${(size / 1e6).toFixed(1)} MB`;

/** Return how many bytes of files fit into a message. They are sent as base64, which is a third longer. */
function maxFileBytes(): number {
  const most = service.value.limits.max_body_bytes;
  return most ? Math.max(0, Math.floor((most - RESERVED_FOR_TEXT) / BASE64_GROWTH)) : Infinity;
}

/** Keep the files that fit beside the `present` ones, and return what is wrong with the others. */
export async function attach(
  files: Iterable<File>,
  present: readonly Attachment[],
): Promise<{ kept: Attachment[]; problems: string[] }> {
  const kept: Attachment[] = [];
  const problems: string[] = [];
  let used = present.reduce((sum, file) => sum + file.size, 0);
  const most = maxFileBytes();
  for (const file of files) {
    if (file.size === 0) {
      problems.push(texts.files.empty(file.name));
    } else if (used + file.size > most) {
      problems.push(texts.files.tooLarge(file.name, formatBytes(file.size), formatBytes(most)));
    } else {
      const id = newId();
      try {
        // A copy, because the file on the disk may change or disappear before it is sent.
        await putFile(id, new Blob([await file.arrayBuffer()], { type: file.type }));
      } catch {
        problems.push(texts.files.notStored(file.name));
        continue;
      }
      used += file.size;
      kept.push({ id, name: file.name || "pasted", type: file.type, size: file.size });
    }
  }
  return { kept, problems };
}
