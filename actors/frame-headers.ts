// Headers of recent frames, shared by the actors of a thread: each is decoded once, whoever asks first.
import type { FrameHeader } from '../protocol/frame.js'
import type { ActorContext } from '../runtime/actor.js'

export interface FrameHeaders {
  get(seq: number): FrameHeader | undefined
  put(seq: number, header: FrameHeader): void
}

/** The journal and the writers beside it get a frame within the same moments. */
const HEADERS_MAX = 32

export function frameHeaders(context: Pick<ActorContext, 'local'>): FrameHeaders {
  return context.local('frame-headers', () => {
    const headers = new Map<number, FrameHeader>()
    return {
      get: (seq) => headers.get(seq),
      put(seq, header) {
        for (const oldest of headers.keys()) {
          if (headers.size < HEADERS_MAX) break
          headers.delete(oldest)
        }
        headers.set(seq, header)
      },
    }
  })
}
