/** Base64 of a text's UTF-8. */
export function encodeBase64(text: string): string {
  return btoa(bytesToBinary(new TextEncoder().encode(text)));
}

/** The text whose UTF-8 the base64 is; bytes that are no UTF-8 come out replaced. */
export function decodeBase64(base64: string): string {
  return new TextDecoder().decode(
    Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)),
  );
}

function bytesToBinary(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}
