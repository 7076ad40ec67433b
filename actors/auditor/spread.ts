// Where the records of a frame lie in time, when old and new ones are in it: no query has to read what lies between.
import type { AuditSpan, AuditTask } from '../../protocol/audit.js'
import type { OpenBook } from '../writers/frame-book.js'

/** A frame this long is taken as one span. */
const NARROW_MS = 600_000
/** Records further apart are in spans of their own. */
const GAP_MS = 60_000
const SPANS_MAX = 16

/** The task with its spans, as far as they are needed and the frame can still be read. */
export async function spread(
  task: AuditTask,
  bookOf: (task: AuditTask) => Promise<OpenBook | undefined>,
): Promise<AuditTask> {
  if (task.spans !== undefined || task.toMs - task.fromMs <= NARROW_MS) return task
  const book = await bookOf(task)
  if (book === undefined) return task
  // A task is what somebody says of a frame.
  const count = Math.min(task.count, book.header.count)
  const times = Array.from({ length: count }, (_, n) => Number(book.tsNs(n) / 1_000_000n))
  return { ...task, spans: spansOfTimes(times.sort((a, b) => a - b)) }
}

/** `times` ascend. */
export function spansOfTimes(times: readonly number[]): AuditSpan[] {
  for (let gapMs = GAP_MS; ; gapMs *= 2) {
    const spans: { fromMs: number; toMs: number }[] = []
    for (const ms of times) {
      const last = spans.at(-1)
      if (last === undefined || ms - last.toMs > gapMs) spans.push({ fromMs: ms, toMs: ms })
      else last.toMs = ms
    }
    if (spans.length <= SPANS_MAX) return spans
  }
}
