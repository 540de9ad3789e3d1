/** What the beginning of an archive says, read in the browser before anything is sent. */
export type Preview =
  | { kind: "manifest"; manifest: Record<string, unknown> }
  /** The browser cannot read this compression; the control plane checks it as it arrives. */
  | { kind: "unreadable" }
  | { kind: "broken"; reason: "not_an_archive" | "no_manifest" | "not_json" };

const BLOCK = 512;
/** A manifest stands near the beginning; a reader that went through gigabytes of a model for it would only delay. */
const MOST_READ = 256 * 1024 * 1024;
const MOST_MANIFEST = 1024 * 1024;
const GZIP_MAGIC = [0x1f, 0x8b];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

export async function readManifest(file: Blob): Promise<Preview> {
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  if (beginsWith(head, ZSTD_MAGIC)) return { kind: "unreadable" };
  if (!beginsWith(head, GZIP_MAGIC)) return { kind: "broken", reason: "not_an_archive" };
  const reader = file.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    return await findManifest(new ByteReader(reader));
  } catch {
    return { kind: "broken", reason: "not_an_archive" };
  } finally {
    void reader.cancel().catch(() => {});
  }
}

async function findManifest(bytes: ByteReader): Promise<Preview> {
  while (bytes.consumed < MOST_READ) {
    const header = await bytes.take(BLOCK);
    if (header === null || header.every((byte) => byte === 0)) return { kind: "broken", reason: "no_manifest" };
    const name = textOf(header.subarray(0, 100));
    const size = Number.parseInt(textOf(header.subarray(124, 136)).trim() || "0", 8);
    if (!Number.isSafeInteger(size)) return { kind: "broken", reason: "not_an_archive" };
    if (isManifest(name) && size <= MOST_MANIFEST) return parse(await bytes.take(size));
    await bytes.skip(Math.ceil(size / BLOCK) * BLOCK);
  }
  return { kind: "unreadable" };
}

/** At the root or under one folder, as the format says. */
function isManifest(name: string): boolean {
  return /^(\.\/)?([^/]+\/)?manifest\.json$/.test(name);
}

function parse(bytes: Uint8Array | null): Preview {
  if (bytes === null) return { kind: "broken", reason: "not_an_archive" };
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return { kind: "manifest", manifest: value as Record<string, unknown> };
    }
  } catch {
    // Below.
  }
  return { kind: "broken", reason: "not_json" };
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function beginsWith(bytes: Uint8Array, magic: number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

/** Takes pieces of exact length from a stream, holding one chunk at a time. */
class ByteReader {
  consumed = 0;
  private chunk = new Uint8Array();
  private readonly source: ReadableStreamDefaultReader<Uint8Array>;

  constructor(source: ReadableStreamDefaultReader<Uint8Array>) {
    this.source = source;
  }

  /** The next bytes, or `null` when the stream ends before. */
  async take(length: number): Promise<Uint8Array | null> {
    const taken = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.chunk.length === 0 && !(await this.fill())) return null;
      const part = this.chunk.subarray(0, length - filled);
      taken.set(part, filled);
      filled += part.length;
      this.drop(part.length);
    }
    return taken;
  }

  async skip(length: number): Promise<void> {
    let left = length;
    while (left > 0 && (this.chunk.length > 0 || (await this.fill()))) {
      const step = Math.min(left, this.chunk.length);
      left -= step;
      this.drop(step);
    }
  }

  private drop(count: number): void {
    this.chunk = this.chunk.subarray(count);
    this.consumed += count;
  }

  private async fill(): Promise<boolean> {
    const { done, value } = await this.source.read();
    if (done || value === undefined) return false;
    this.chunk = new Uint8Array(value);
    return true;
  }
}
