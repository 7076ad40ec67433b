// Dead letters on real files: durable, once each, bounded, readable after a torn write.
import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { createDeadLetters, type DeadLetter, deadLetterCount } from '../../runtime/dead-letters.js'

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-dlq-'))
  try {
    await run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function letter(n: number, record = '{"message":"x"}'): DeadLetter {
  return {
    backend: 'es',
    reason: 'mapping',
    time: '2026-11-23T10:00:00.000Z',
    tries: 1,
    frame: 'frame',
    n,
    record,
  }
}

function lines(folder: string): DeadLetter[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => readFileSync(path.join(folder, name), 'utf8').trimEnd().split('\n'))
    .map((line) => JSON.parse(line) as DeadLetter)
}

test('a letter that comes again after a restart is there once', () =>
  inFolder(async (root) => {
    const folder = path.join(root, 'dlq', 'es')
    const first = createDeadLetters({ folder })
    assert.equal(await first.put([letter(1), letter(2)]), 2)
    assert.equal(await first.put([letter(2), letter(3)]), 1)
    await first.close()
    const second = createDeadLetters({ folder })
    assert.equal(await second.put([letter(1), letter(2), letter(3), letter(4)]), 1)
    await second.close()
    assert.deepEqual(
      lines(folder).map(({ n }) => n),
      [1, 2, 3, 4],
    )
    assert.equal(await deadLetterCount(path.join(root, 'dlq')), 4)
    assert.equal(await deadLetterCount(path.join(root, 'nothing')), 0)
  }))

test('a torn last line is cut off at every byte, and the letter is written again', () =>
  inFolder(async (root) => {
    const whole = `${JSON.stringify(letter(2))}\n`
    for (let cut = 1; cut < whole.length; cut += 7) {
      const folder = path.join(root, String(cut))
      const first = createDeadLetters({ folder })
      await first.put([letter(1)])
      await first.close()
      appendFileSync(path.join(folder, '00000000.ndjson'), whole.slice(0, cut))
      const second = createDeadLetters({ folder })
      assert.equal(await second.put([letter(2)]), 1)
      await second.close()
      assert.deepEqual(
        lines(folder).map(({ n }) => n),
        [1, 2],
      )
    }
  }))

test('at the bound nothing is given up: put refuses, and goes on when there is room again', () =>
  inFolder(async (folder) => {
    const letters = createDeadLetters({ folder, bytesMax: 3000, fileBytesMax: 1000 })
    let n = 0
    await assert.rejects(
      async () => {
        for (;;) await letters.put([letter(n++, 'x'.repeat(200))])
      },
      { code: 'dlq.full' },
    )
    const names = readdirSync(folder)
    assert.ok(names.length > 1)
    assert.ok(names.reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0) <= 3000)
    assert.equal(lines(folder).length, n - 1)
    for (const name of names) rmSync(path.join(folder, name))
    assert.equal(await letters.put([letter(n)]), 1)
    await letters.close()
    assert.deepEqual(
      lines(folder).map((each) => each.n),
      [n],
    )
  }))
