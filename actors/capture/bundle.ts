// Packs a capture: a tar archive, gzipped, in memory; its size is bounded by what goes in.
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { pack } from 'tar-stream'

const compress = promisify(gzip)

/** `files`: name → text. `atMs` is what the archive says they were written at. */
export async function packCapture(files: Readonly<Record<string, string>>, atMs: number): Promise<Buffer> {
  const archive = pack()
  for (const [name, text] of Object.entries(files)) archive.entry({ name, mtime: new Date(atMs) }, text)
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk)
  return compress(Buffer.concat(chunks))
}
