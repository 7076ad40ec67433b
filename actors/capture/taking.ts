// Takes captures: a few at a time, each put together, packed, written to disk and handed to the upload.
import { systemCode } from '../../protocol/errors.js'
import type { ActorContext } from '../../runtime/actor.js'
import { assemble, type Assembly, hear, type Named, type Told } from './assemble.js'
import { captureKey, captureName } from './name.js'
import type { Spool } from './spool.js'
import type { Uploads } from './uploads.js'

export interface Taking {
  /** Resolves when the capture is on disk or in the store, to its name; undefined: it is lost. `detectedMs`: monotonic. */
  take(named: Named, detectedMs: number): Promise<string | undefined>
}

export interface TakingOptions {
  readonly context: ActorContext
  readonly assembly: Assembly
  readonly spool: Spool
  readonly uploads: Uploads
  onLost(key: string, reason: string): void
}

/** Read and packed at the same time; more wait their turn. The node's bound per hour bounds those, and those that are still heard out. */
const AT_ONCE_MAX = 4

export function createTaking({ context, assembly, spool, uploads, onLost }: TakingOptions): Taking {
  const wakers: (() => void)[] = []
  let working = 0
  let nameMs = 0

  function nameOf({ namespace, podName, detectedAtMs }: Named): { key: string; name: string } {
    // Two containers of a pod may be found dead by the same look.
    nameMs = Math.max(nameMs + 1, detectedAtMs)
    const name = captureName(podName, nameMs)
    return { key: captureKey(context.node.clusterId, namespace, name), name }
  }

  /** False: it is lost. */
  async function takeNow(key: string, named: Named, told: Told, detectedMs: number): Promise<boolean> {
    const files = await assemble(assembly, named, told)
    // The archiver is loaded when something has died, and not before.
    const { packCapture } = await import('./bundle.js')
    const bytes = await packCapture(files, named.detectedAtMs)
    try {
      for (const given of await spool.add(key, bytes)) onLost(given.key, 'disk_bound')
      uploads.hurry(key, detectedMs)
      return true
    } catch (error) {
      const code = systemCode(error)
      if (code === undefined) throw error
      context.log.error(
        { capture: key, detail: code },
        'a capture can not be written to disk; its store is tried at once',
      )
      return uploads.direct(key, bytes).then(
        () => true,
        (fault: unknown) => {
          onLost(key, systemCode(fault) ?? code)
          return false
        },
      )
    }
  }

  return {
    async take(named, detectedMs) {
      const { key, name } = nameOf(named)
      // Many die together: none waits for what another one is waiting for.
      const told = await hear(assembly, named)
      if (working >= AT_ONCE_MAX) await new Promise<void>((resolve) => wakers.push(resolve))
      working++
      try {
        return (await takeNow(key, named, told, detectedMs)) ? name : undefined
      } finally {
        working--
        wakers.shift()?.()
      }
    },
  }
}
