// Takes captures: a few at a time, each put together, packed, written to disk and handed to the upload.
import { systemCode } from '../../protocol/errors.js'
import type { ActorContext } from '../../runtime/actor.js'
import { assemble, type Assembly, type Named } from './assemble.js'
import { captureKey, captureName } from './name.js'
import type { Spool } from './spool.js'
import type { Uploads } from './uploads.js'

export interface Taking {
  /** Resolves when the capture is on disk, in the store, or lost. `detectedMs`: monotonic. */
  take(named: Named, detectedMs: number): Promise<void>
}

export interface TakingOptions {
  readonly context: ActorContext
  readonly assembly: Assembly
  readonly spool: Spool
  readonly uploads: Uploads
  onLost(key: string, reason: string): void
}

/** Put together at the same time; more wait their turn. The node's bound per hour bounds those. */
const AT_ONCE_MAX = 4

export function createTaking({ context, assembly, spool, uploads, onLost }: TakingOptions): Taking {
  const wakers: (() => void)[] = []
  let working = 0
  let nameMs = 0

  async function takeNow(named: Named, detectedMs: number): Promise<void> {
    // Two containers of a pod may be found dead by the same look.
    nameMs = Math.max(nameMs + 1, named.detectedAtMs)
    const key = captureKey(context.node.clusterId, named.namespace, captureName(named.podName, nameMs))
    const files = await assemble(assembly, named)
    // The archiver is loaded when something has died, and not before.
    const { packCapture } = await import('./bundle.js')
    const bytes = await packCapture(files, named.detectedAtMs)
    try {
      for (const given of await spool.add(key, bytes)) onLost(given.key, 'disk_bound')
      uploads.hurry(key, detectedMs)
    } catch (error) {
      const code = systemCode(error)
      if (code === undefined) throw error
      context.log.error(
        { capture: key, detail: code },
        'a capture can not be written to disk; its store is tried at once',
      )
      await uploads.direct(key, bytes).catch((fault: unknown) => onLost(key, systemCode(fault) ?? code))
    }
  }

  return {
    async take(named, detectedMs) {
      if (working >= AT_ONCE_MAX) await new Promise<void>((resolve) => wakers.push(resolve))
      working++
      try {
        await takeNow(named, detectedMs)
      } finally {
        working--
        wakers.shift()?.()
      }
    },
  }
}
