/** Files on their way into a message: checked against the server's limits, then kept in the browser's storage. */

import { putFile } from "./database";
import { type Attachment, newId } from "./model";
import { service } from "./providers";

const BASE64_GROWTH = 4 / 3;
const ROOM_FOR_TEXT = 64 * 1024;

export const bytes = (size: number): string =>
  size < 1000 ? `${size} B` : size < 1e6 ? `${(size / 1000).toFixed(0)} kB` : `${(size / 1e6).toFixed(1)} MB`;

/** What may still be attached; files travel as base64, which is a third longer. */
function room(): number {
  const most = service.value.limits.max_body_bytes;
  return most ? Math.max(0, Math.floor((most - ROOM_FOR_TEXT) / BASE64_GROWTH)) : Infinity;
}

/** Keeps the files that fit beside `present`; says what is wrong with the others. */
export async function attach(
  files: Iterable<File>,
  present: Attachment[],
): Promise<{ kept: Attachment[]; problems: string[] }> {
  const kept: Attachment[] = [];
  const problems: string[] = [];
  let used = present.reduce((sum, file) => sum + file.size, 0);
  const most = room();
  for (const file of files) {
    if (file.size === 0) {
      problems.push(`${file.name} is empty.`);
    } else if (used + file.size > most) {
      problems.push(`${file.name} (${bytes(file.size)}) is too large: this server takes ${bytes(most)} a message.`);
    } else {
      const id = newId();
      try {
        // A copy: the picked file may be changed or removed on the disk before it is sent.
        await putFile(id, new Blob([await file.arrayBuffer()], { type: file.type }));
      } catch (error) {
        problems.push(`${file.name} can't be kept: ${(error as Error).message}`);
        continue;
      }
      used += file.size;
      kept.push({ id, name: file.name || "pasted", type: file.type, size: file.size });
    }
  }
  return { kept, problems };
}
