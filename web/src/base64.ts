/** Converts bytes to base64 and back. A FileReader, because `String.fromCharCode` takes too few bytes at a time. */

export async function toBase64(bytes: Blob): Promise<string> {
  const url = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error("the file can't be read"));
    reader.readAsDataURL(bytes);
  });
  return url.slice(url.indexOf(",") + 1);
}

export function fromBase64(text: string, type: string): Blob {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let place = 0; place < binary.length; place++) bytes[place] = binary.charCodeAt(place);
  return new Blob([bytes], { type });
}
