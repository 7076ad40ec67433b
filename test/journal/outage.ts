// A journal of which one backend, loki, takes everything at once, and the others never came up; the auditor takes what it is handed.
import type { TestContext } from 'node:test'
import type { JournalOptions } from '../../protocol/config/node.js'
import { tempFolder } from './folder.js'
import { frame, position } from './frames.js'
import { type JournalRun, run, type TestWriter, writer } from './harness.js'

export interface Outage {
  readonly journal: JournalRun
  readonly up: TestWriter
  /** Seqs that loki has. */
  readonly stored: Set<number>
  /** Seqs that the audit has durably. */
  readonly queued: Set<number>
  committed(): number
  /** Lets everybody do what they can now. */
  look(): void
  /** Appends the frame; false when the journal does not take it. */
  append(n: number): Promise<boolean>
}

/** Two records and a bit more than 3,000 bytes each. */
const numbered = (n: number) =>
  frame(`f${n}`, [`{"n":${n}}`, `{"pad":"${'x'.repeat(3000)}"}`], [position('a', n + 1)])

export async function outage(
  t: TestContext,
  settings: Partial<JournalOptions>,
  writers: readonly string[],
  audited: boolean,
): Promise<Outage> {
  const journal = await run(t, await tempFolder(t), { settings, writers, holdBytesMax: 1 << 30 })
  const up = writer(journal, 'loki')
  up.subscribe()
  if (audited) journal.tell({ type: 'audit_open', room: 1000, waiting: [] }, 'auditor')
  const stored = new Set<number>()
  const queued = new Set<number>()
  let committed = 0
  function look(): void {
    const frames = up.frames()
    for (const { seq } of frames) stored.add(seq)
    up.done(frames)
    for (const message of journal.take('audit_frames', 'auditor')) {
      const seqs = message.frames.map(({ seq }) => seq)
      for (const seq of seqs) queued.add(seq)
      journal.tell({ type: 'audit_queued', seqs, room: 1000 }, 'auditor')
    }
    committed += journal.take('committed').reduce((sum, message) => sum + message.frames, 0)
  }
  return {
    journal,
    up,
    stored,
    queued,
    committed: () => committed,
    look,
    async append(n) {
      if (!journal.append(numbered(n))) return false
      for (let turn = 0; turn < 40 && committed <= n; turn++) {
        await journal.quiet()
        look()
        await journal.clock.advance(100)
      }
      return committed > n
    },
  }
}
