// Reads a request's body within bounds: its own size, unpacked too, and what all bodies together may hold.
import type { IncomingMessage } from 'node:http'
import { createGunzip } from 'node:zlib'
import type { Readable } from 'node:stream'
import { saidOf } from '../../../protocol/errors.js'

/** Memory that all bodies share. */
export interface BodyBudget {
  /** Takes bytes; false when there is no room. */
  take(bytes: number): boolean
  give(bytes: number): void
}

export function createBodyBudget(bytesMax: number): BodyBudget {
  let used = 0
  return {
    take(bytes) {
      if (used + bytes > bytesMax) return false
      used += bytes
      return true
    },
    give(bytes) {
      used -= bytes
    },
  }
}

/** A body, or the status and reason of its refusal. The caller gives `body.length` back to the budget. */
export type BodyResult =
  | { readonly body: Buffer }
  | { readonly status: 400 | 413 | 429; readonly problem: string }
  | 'disconnected'

export async function readBody(
  request: IncomingMessage,
  bytesMax: number,
  budget: BodyBudget,
): Promise<BodyResult> {
  const tooLarge = {
    status: 413,
    problem: `the body is larger than ${bytesMax} bytes (option body_bytes_max)`,
  } as const
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return tooLarge
  const packed = request.headers['content-encoding'] === 'gzip'
  const stream: Readable = packed ? request.pipe(createGunzip()) : request
  // pipe does not hand errors on: without this a broken connection would leave the gunzip waiting for ever.
  if (packed) request.once('error', () => stream.destroy()).once('close', () => endIfCut(request, stream))
  const chunks: Buffer[] = []
  let bytes = 0
  const refuse = <Result>(result: Result): Result => {
    budget.give(bytes)
    bytes = 0
    request.unpipe()
    if (packed) stream.destroy()
    return result
  }
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (bytes + chunk.length > bytesMax) return refuse(tooLarge)
      if (!budget.take(chunk.length))
        return refuse({ status: 429, problem: 'too much is being pushed at once' } as const)
      bytes += chunk.length
      chunks.push(chunk)
    }
  } catch (error) {
    if (!packed || !request.complete) return refuse('disconnected')
    const detail = saidOf(error)
    return refuse({
      status: 400,
      problem: `the body is not valid gzip after ${bytes} unpacked bytes: ${detail}`,
    } as const)
  }
  return { body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes) }
}

function endIfCut(request: IncomingMessage, stream: Readable): void {
  if (!request.complete) stream.destroy()
}
