// A full disk under the journal: sources wait, the node says why, and nothing is lost when room returns.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createCorpus } from '../../benchmarks/generate/corpus.js'
import type { NodeStatus } from '../../protocol/status.js'
import { createScenario, startMillrace } from './scenario.js'
import { demandEqual } from './verify.js'

const canMount = process.platform === 'linux' && process.getuid?.() === 0

/** A small file system of its own, in memory. */
function mountSmall(): { folder: string; unmount(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder])
  return {
    folder,
    unmount() {
      execFileSync('umount', ['-l', folder])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

test('the disk of the journal is full: reading stops with a clear reason, and goes on when there is room', {
  skip: canMount ? false : 'needs root on Linux to mount a small file system',
}, async (t) => {
  const disk = mountSmall()
  t.after(disk.unmount)
  const scenario = createScenario({
    dataDir: join(disk.folder, 'data'),
    extra: 'journal: { segment_bytes: 4MiB }',
  })
  t.after(scenario.remove)
  const filler = join(disk.folder, 'filler')
  writeFileSync(filler, Buffer.alloc(0))
  const startMs = Date.now() - 60_000
  const corpus = createCorpus({
    root: scenario.podsRoot,
    records: 60_000,
    pods: 5,
    seed: 9,
    startMs,
    zoo: true,
  })
  const { bavail, bsize } = statfsSync(disk.folder)
  writeFileSync(filler, Buffer.alloc(bavail * bsize - 600_000))
  const node = startMillrace(scenario, 'run')
  t.after(() => node.process.kill('SIGKILL'))
  const http = /"http":"([^"]+)"/.exec(await node.said(/"msg":"running"/))?.[1] ?? ''
  corpus.write(60_000)
  corpus.close()
  const reasons = await until(http, (status) => status.reasons.length > 0)
  assert.match(reasons.reasons.join(' '), /no space|ENOSPC|full/i)
  assert.equal((await fetch(`http://${http}/readyz`)).status, 503)
  assert.ok(reasons.counters.readRecords < 60_000, 'reading stopped')
  rmSync(filler)
  await until(http, ({ backends }) =>
    Object.values(backends).every(({ writtenRecords }) => writtenRecords >= 60_000),
  )
  await until(http, (status) => status.ready)
  node.process.kill('SIGTERM')
  assert.equal((await node.exited).code, 0, node.log())
  await demandEqual(scenario, corpus.expected, { fromMs: startMs - 1000, toMs: Date.now() + 1000 })
})

async function until(http: string, met: (status: NodeStatus) => boolean): Promise<NodeStatus> {
  for (;;) {
    const status = (await (await fetch(`http://${http}/status`)).json()) as NodeStatus
    if (met(status)) return status
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
