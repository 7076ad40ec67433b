// Standard input: whole lines, the unfinished last one, and an end that does not hold the process.
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { createLineWindow } from '../../actors/sources/stdin/line-window.js'
import { stdinSource } from '../../actors/sources/stdin.js'
import { stdinSource as schema } from '../../protocol/config/sources.js'
import { createBench, RECORDS, type Bench } from './bench.js'
import { logFolder } from './folders.js'

function source(fd: number): Bench {
  const bench = createBench({ name: 'in' })
  const options = schema.parse({ type: 'stdin', fields: { service_name: 'job' } })
  void bench.start(stdinSource(bench.context, { name: 'in', options, records: RECORDS, fd }))
  return bench
}

const ended = (bench: Bench) => bench.until(() => bench.other.some(({ type }) => type === 'idle'), 'the end')

test('a file as standard input is read to its end, the unfinished last line too', async () => {
  const folder = logFolder()
  const text = `${'{"n":1}\n'.repeat(100_000)}last words`
  writeFileSync(folder.path('in'), text)
  const fd = openSync(folder.path('in'), 'r')
  const bench = source(fd)
  await ended(bench)
  closeSync(fd)
  assert.equal(bench.slabs.map((slab) => slab.text).join(''), text)
  assert.equal(bench.slabs.at(-1)?.last, true)
  assert.deepEqual(bench.story.slice(-1), ['closed  done'])
  assert.equal(bench.other.filter(({ type }) => type === 'end_of_input').length, 1)
  await bench.stop()
  folder.remove()
})

test('a pipe that stays open does not hold the process', async () => {
  const module = new URL('./stdin-child.js', import.meta.url)
  const child: ChildProcess = spawn(process.execPath, [module.pathname], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin?.write('one\ntwo')
  const output: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk))
  const code = await new Promise((resolve) => child.once('exit', resolve))
  child.stdin?.destroy()
  assert.equal(code, 0)
  assert.equal(Buffer.concat(output).toString(), 'slab "one\\n"\nslab last "two"\n')
})

test('however a stream is cut into chunks, its lines are the same', () => {
  const line = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ minLength: 30, maxLength: 60 }))
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (parts, sizes) => {
        const text = Buffer.from(parts.map((part) => part.replaceAll('\n', '')).join('\n'))
        const window = createLineWindow(40, 10)
        const target = Buffer.alloc(40)
        const pieces: { text: string; cut: boolean; offset: number; endOffset: number }[] = []
        const keep = (piece: ReturnType<typeof window.rest>): void => {
          pieces.push({ ...piece, text: target.toString('latin1', 0, piece.bytes) })
        }
        for (let at = 0, turn = 0; at < text.length; turn++) {
          let chunk = text.subarray(at, at + (sizes[turn % sizes.length] as number))
          at += chunk.length
          while (chunk.length > 0) {
            chunk = chunk.subarray(window.put(chunk))
            for (let piece = window.take(target); piece !== undefined; piece = window.take(target))
              keep(piece)
          }
        }
        keep(window.rest(target))
        let offset = 0
        for (const piece of pieces) {
          assert.equal(piece.offset, offset)
          const original = text.toString('latin1', piece.offset, piece.endOffset)
          if (piece.cut) {
            assert.ok(original.length >= 40 && original.startsWith(piece.text) && piece.text.length > 6)
            assert.ok(!original.slice(0, -1).includes('\n'))
          } else assert.equal(piece.text, original)
          offset = piece.endOffset
        }
        assert.equal(offset, text.length)
      },
    ),
  )
})
