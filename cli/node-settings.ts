// Which sampling section is in effect: the cluster's where there is one, else the file's; each is checked before it replaces the last.
import type { SamplingOptions } from '../protocol/config/sampling.js'
import { MillraceError } from '../protocol/errors.js'
import { checkSampling } from '../runtime/config/sampling-section.js'
import { parseJsonSection } from '../runtime/config/section.js'
import type { AppliedSampling } from './live-sampling.js'

export interface NodeSettings {
  /** A new section of the file; undefined: the cluster's stays in effect, and the file's waits behind it. */
  fromFile(section: SamplingOptions): Promise<AppliedSampling | undefined>
  /** The cluster's section as JSON; undefined: none. Throws a MillraceError `config.*` that says why it is refused. */
  fromCluster(json: string | undefined): Promise<AppliedSampling | undefined>
  current(): SamplingOptions
  origin(): 'file' | 'cluster'
}

/** `apply` publishes a section, which is checked by then, and resolves when every hot path has it. */
export function createNodeSettings(
  first: SamplingOptions,
  apply: (section: SamplingOptions) => Promise<AppliedSampling>,
): NodeSettings {
  let file = first
  let cluster: SamplingOptions | undefined
  let published = JSON.stringify(first)
  /** One change after the other: the last one that came is the one that stays. */
  let turn: Promise<unknown> = Promise.resolve()

  function inTurn<T>(change: () => Promise<T>): Promise<T> {
    const mine = turn.then(change)
    turn = mine.catch(() => undefined)
    return mine
  }

  async function publish(section: SamplingOptions): Promise<AppliedSampling | undefined> {
    const text = JSON.stringify(section)
    if (text === published) return undefined
    try {
      const applied = await apply(section)
      published = text
      return applied
    } catch (error) {
      // It is published: the hot paths take it up with their next records.
      if (error instanceof MillraceError && error.code === 'sampling.late') published = text
      throw error
    }
  }

  return {
    fromFile: (section) =>
      inTurn(async () => {
        file = checkSampling(section)
        return cluster === undefined ? publish(file) : undefined
      }),
    fromCluster: (json) =>
      inTurn(async () => {
        const section = json === undefined ? undefined : checkSampling(parseJsonSection(json))
        const before = cluster
        cluster = section
        try {
          return await publish(section ?? file)
        } catch (error) {
          if (error instanceof MillraceError && error.code === 'sampling.late') return undefined
          cluster = before
          throw error
        }
      }),
    current: () => cluster ?? file,
    origin: () => (cluster === undefined ? 'file' : 'cluster'),
  }
}
