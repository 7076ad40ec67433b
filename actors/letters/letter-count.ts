// Counts the dead letters that wait in a node's folder, for the gauges that an alert looks at.
import type { ActorContext } from '../../runtime/actor.js'
import { lettersFolder } from '../../runtime/dead-letters.js'
import { letterFigures, type LineCache, strangersOf } from '../../runtime/letter-store.js'

const EVERY_MS = 30_000

/** Counts now and from here on; returns what ends it. A file that has not changed is not read again. */
export function countLetters(context: Pick<ActorContext, 'clock' | 'log' | 'metrics' | 'node'>): () => void {
  const { clock, log, metrics, node } = context
  const root = lettersFolder(node.dataDir)
  const counted: LineCache = new Map()
  let strangers: readonly string[] = []
  let counting: Promise<void> | undefined

  async function count(): Promise<void> {
    const found = await strangersOf(root)
    for (const file of found)
      if (!strangers.includes(file))
        log.warn({ event: 'letters', file }, 'no file of dead letters: it is left out; move it away')
    strangers = found
    for (const [backend, { letters, bytes }] of await letterFigures(root, counted)) {
      metrics.set('dead_letters_waiting', letters, { backend })
      metrics.set('dead_letters_bytes', bytes, { backend })
    }
  }

  function start(): void {
    counting ??= count()
      .catch((error: unknown) => log.warn({ err: error }, 'counting the dead letters failed'))
      .finally(() => (counting = undefined))
  }
  start()
  return clock.every(EVERY_MS, start)
}
