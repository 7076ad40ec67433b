// What a search of the folders reports: logs, and for each the files that hold it, oldest first.
import type { Origin } from '../../../protocol/messages.js'

export interface FoundFile {
  readonly path: string
  readonly dev: number
  readonly ino: number
  readonly size: number
  readonly mtimeMs: number
  /** The file that is written to now; the others were rotated away. */
  readonly live: boolean
  readonly gz: boolean
  /** Asked for by the configuration; others are only read when they follow a file that was (a rotation between two looks). */
  readonly wanted: boolean
}

/** One log: a live file and its rotations. Its files are read one after the other. */
export interface FoundLog {
  /** The join key of its origins. */
  readonly key: string
  readonly livePath: string
  /** In the order in which they were written. */
  readonly files: readonly FoundFile[]
  /** The folder changed all the while, or could not be listed: a file may be missing between those that are named. */
  readonly torn?: boolean
}

export type OriginFields = Omit<Origin, 'id' | 'source' | 'file' | 'joinKey'>

/** What a source type adds to the tail engine. */
export interface LogSource {
  /** Lists all logs there are now. */
  find(): FoundLog[] | Promise<FoundLog[]>
  /** What the host knows about a log at this moment. */
  describe(log: FoundLog): OriginFields
  /** Whether the log's first slab may go now; false = asked again at the next look. `waitedMs` since it was first there. */
  admit?(log: FoundLog, waitedMs: number): boolean
}
