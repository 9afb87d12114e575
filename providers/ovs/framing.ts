const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * Cuts a byte stream of concatenated JSON objects (RFC 7047 has no framing) into their texts: each call takes the next bytes
 * and gives the objects they complete. Braces are counted outside strings; on bytes, so that a character may be cut by a
 * chunk's end. Each byte is looked at once. Throws RangeError when an object grows beyond `limit` bytes, SyntaxError on bytes
 * that belong to no object.
 */
export function splitObjects(limit: number = 64 * 2 ** 20): (chunk: Uint8Array) => readonly string[] {
  let depth = 0;
  let inString = false;
  let escaped = false;
  let size = 0;
  let parts: Uint8Array[] = [];

  return (chunk) => {
    const texts: string[] = [];
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] ?? 0;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === OPEN) {
        if (depth === 0) start = i;
        depth += 1;
      } else if (depth === 0) {
        if (byte > 0x20) throw new SyntaxError(`byte ${String(byte)} between two JSON objects`);
      } else if (byte === QUOTE) {
        inString = true;
      } else if (byte === CLOSE) {
        depth -= 1;
        if (depth === 0) {
          parts.push(chunk.subarray(start, i + 1));
          texts.push(Buffer.concat(parts).toString('utf8'));
          parts = [];
          size = 0;
        }
      }
    }
    if (depth > 0) {
      const rest = chunk.subarray(start);
      size += rest.length;
      if (size > limit) throw new RangeError(`a JSON object of more than ${String(limit)} bytes`);
      parts.push(rest);
    }
    return texts;
  };
}
