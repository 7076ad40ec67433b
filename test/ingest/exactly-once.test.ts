// A crash after any frame: reading again from its position gives every record once, whatever was open at that moment.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Chain, createChain, criOrigin, openOrigin } from './chain.js'

const STAMP = '2026-11-23T10:00:00.000000001Z'

/** A file in which partials of both streams interleave, with long records, text and JSON. */
function tangledFile(records: number): Buffer {
  const lines: string[] = []
  for (let n = 0; n < records; n++) {
    if (n % 5 === 0) {
      lines.push(`${STAMP} stdout P {"n":${n},"pad":"${'a'.repeat(300)}`)
      lines.push(`${STAMP} stderr P stderr begins n=${n + 100_000} `)
      lines.push(
        `${STAMP} stdout F {"n":${n + 200_000}`.replace(
          `{"n":${n + 200_000}`,
          `${'b'.repeat(200)}","level":"error"}`,
        ),
      )
      lines.push(`${STAMP} stdout F {"n":${n + 200_000},"level":"info"}`)
      lines.push(`${STAMP} stderr F and ends`)
    } else lines.push(`${STAMP} stdout F {"n":${n},"level":"info","msg":"${'m'.repeat(n % 97)}"}`)
  }
  return Buffer.from(`${lines.join('\n')}\n`)
}

function numbers(chain: Chain): string[] {
  return chain.lines().map((line) => /"n":(\d+)|n=(\d+)/.exec(line)?.slice(1).find(Boolean) ?? line)
}

test('a crash after any frame neither loses nor doubles a record, with partials of both streams open', () => {
  const file = tangledFile(150)
  const whole = createChain({ records: { frame_bytes: 300, line_bytes_max: 1000 } })
  openOrigin(whole, criOrigin(1))
  whole.feed(1, file)
  whole.end()
  const expected = numbers(whole).toSorted()
  assert.equal(new Set(expected).size, expected.length)
  assert.ok(whole.frames.length > 8, `${whole.frames.length} frames`)
  for (let crash = 0; crash < whole.frames.length; crash += 1 + Math.floor(crash / 20)) {
    const kept = whole.frames.slice(0, crash + 1)
    const position = kept.flatMap((frame) => frame.header.positions).at(-1)
    const again = createChain({ records: { frame_bytes: 300, line_bytes_max: 1000 } })
    openOrigin(again, criOrigin(2), position?.carry)
    again.feed(2, file.subarray(position?.offset ?? 0), { offset: position?.offset ?? 0 })
    again.end()
    const got = [...kept.flatMap((frame) => frame.lines), ...again.lines()]
    const seen = numbers({ ...again, lines: () => got }).toSorted()
    assert.deepEqual(seen, expected, `crash after frame ${crash}`)
  }
})

test('a partial that spans a rotation is joined once', () => {
  const chain = createChain()
  openOrigin(chain, criOrigin(1))
  chain.feed(1, Buffer.from(`${STAMP} stdout P {"n":1,\n`), { last: true })
  chain.send('parse', { type: 'origin_closed', origin: 1, done: true })
  openOrigin(chain, criOrigin(2))
  chain.feed(2, Buffer.from(`${STAMP} stdout F "level":"warn"}\n`))
  chain.end()
  assert.equal(chain.lines().length, 1)
  assert.match(chain.lines()[0] ?? '', /"log_level":"WARN".*"n":1/)
})

test('a partial takes no line of a file that does not follow: its own rest is found, or it ends', () => {
  const chain = createChain()
  openOrigin(chain, criOrigin(1))
  chain.feed(1, Buffer.from(`${STAMP} stdout P begun, \n`))
  chain.send('parse', { type: 'origin_closed', origin: 1, done: true })
  // Read again behind a damaged frame: neither does it go on in this one, nor this one in what is read next.
  chain.send('parse', { type: 'origin', origin: criOrigin(2), detached: true })
  chain.feed(2, Buffer.from(`${STAMP} stdout F whole\n${STAMP} stdout P again\n`))
  chain.send('parse', { type: 'origin_closed', origin: 2, done: true, cutOff: true })
  openOrigin(chain, criOrigin(3))
  chain.feed(3, Buffer.from(`${STAMP} stdout F ended\n`))
  chain.end()
  const messages = chain.lines().map((line) => (JSON.parse(line) as { message: string }).message)
  assert.deepEqual(messages, ['whole', 'again', 'begun, ended'])
})

test('a partial whose rest never comes is a record when the input ends', () => {
  const chain = createChain()
  openOrigin(chain, criOrigin(1))
  chain.feed(1, Buffer.from(`${STAMP} stdout P half of a line\n`))
  chain.end()
  assert.match(chain.lines()[0] ?? '', /"message":"half of a line"/)
})
