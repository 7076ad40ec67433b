// What each backend holds of one frame, looked up by hand.
import type { Config } from '../../protocol/config/schema.js'
import { MillraceError } from '../../protocol/errors.js'
import { openAudit } from './open.js'

export interface FrameResult {
  readonly whole: boolean
  readonly frame: string
  readonly records: number
  readonly from: string
  readonly to: string
  /** Seq in the journal, while that still holds it. */
  readonly journalSeq?: number
  readonly backends: Readonly<
    Record<
      string,
      {
        readonly held: number
        readonly missing: readonly number[]
        readonly copies: number
        readonly dead: number
      }
    >
  >
}

/** Throws `audit.unknown_frame` for one that the data folder does not know. */
export async function auditFrame(
  config: Config,
  id: string,
  sinceMs: number,
  withArchive: boolean,
): Promise<FrameResult> {
  const signal = new AbortController().signal
  const options = { sinceMs, repairs: false, withArchive, queriesPerSecond: 10, signal }
  const { engine, known, close } = await openAudit(config, options)
  try {
    const found = known.tasks.find((task) => task.id === id)
    if (found === undefined) {
      const text = `frame ${id} is neither in the journal of ${config.node.data_dir} nor in the audit's queue, or a backend has not acknowledged it yet; --since looks further back, --archive into the archive`
      throw new MillraceError('audit.unknown_frame', text)
    }
    const task = await engine.spread(found)
    await Promise.all(engine.readers.map((reader) => reader.refresh([task])))
    const dead = (await engine.deadOf([task])).get(id) ?? {}
    const backends: Record<string, FrameResult['backends'][string]> = {}
    for (const reader of engine.readers) {
      const { numbers, copies } = (await reader.held([task])).get(id) ?? {
        numbers: new Set<number>(),
        copies: 0,
      }
      const buried = new Set(dead[reader.name])
      const missing = Array.from({ length: task.count }, (_, n) => n).filter(
        (n) => !numbers.has(n) && !buried.has(n),
      )
      backends[reader.name] = { held: numbers.size, missing, copies, dead: buried.size }
    }
    const encoded = await known.encoded(task)
    return {
      whole: Object.values(backends).every(({ missing }) => missing.length === 0),
      frame: id,
      records: task.count,
      from: new Date(task.fromMs).toISOString(),
      to: new Date(task.toMs).toISOString(),
      ...(encoded === undefined ? {} : { journalSeq: task.seq }),
      backends,
    }
  } finally {
    await close()
  }
}
