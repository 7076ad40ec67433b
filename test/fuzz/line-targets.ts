// Lines of containers and of pushes, through the whole chain of parse, enrich and sample: every line is in exactly one record.
import assert from 'node:assert/strict'
import { type Chain, createChain, criOrigin, openOrigin } from '../ingest/chain.js'
import type { Hostile } from './hostile.js'
import type { Target } from './targets.js'

const NEWLINE = 0x0a
const SPACE = 0x20
const LINES_MAX = 12
/** Longer than the longest wait for the rest of a record. */
const WAIT_MS = 60_000

/** A mark that no change touches stands first in each line's content, so that it can be found again. */
function contentOf(mark: string, hostile: Hostile): Buffer {
  const rest = hostile.mutated(Buffer.from(hostile.json(4)), hostile.between(0, 3))
  const content = hostile.oneOf([
    () => [`{"${mark}":1,"x":`, rest, '}'],
    () => [`{"${mark}":${hostile.json(2)},"msg":${hostile.json(0)}}`],
    () => [`${mark} `, rest],
    () => [`${mark} level=warn msg=`, rest],
    () => [`${mark}`, hostile.bytes(hostile.between(0, 200))],
  ])()
  const line = Buffer.concat(content.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
  return withoutNewlines(line)
}

function withoutNewlines(line: Buffer): Buffer {
  for (let at = line.indexOf(NEWLINE); at >= 0; at = line.indexOf(NEWLINE, at)) line[at] = SPACE
  return line
}

function criPrefix(hostile: Hostile): Buffer {
  const digits = String(hostile.between(0, 999_999_999)).padStart(9, '0')
  const tag = hostile.oneOf(['F', 'F', 'F', 'P'])
  const prefix = `2026-11-23T10:00:00.${digits}Z ${hostile.oneOf(['stdout', 'stderr'])} ${tag}`
  const mutated = hostile.mutated(Buffer.from(prefix), hostile.random() < 0.2 ? 1 : 0)
  // The space stays: behind "P:" the content would be tags, which no record holds.
  return withoutNewlines(Buffer.concat([mutated, Buffer.from(' ')]))
}

/** Of a mark in a record; long enough that random bytes do not hold one by chance. */
const MARK = /#mark-(\d+)#/g

function lineTarget(name: string, format: 'cri' | 'lines', prefix: (hostile: Hostile) => Buffer): Target {
  const chain: Chain = createChain()
  openOrigin(chain, criOrigin(1, { format }))
  /** Marks of lines that are in no record yet: pieces wait for the rest of theirs. */
  const open = new Set<number>()
  let lines = 0
  let offset = 0

  function account(): number {
    const records = chain.lines()
    chain.frames.length = 0
    chain.toSources.length = 0
    for (const record of records) {
      assert.doesNotThrow(() => void JSON.parse(record), record)
      const marks = new Set([...record.matchAll(MARK)].map(([, number]) => Number(number)))
      assert.ok(marks.size > 0, `a record of nothing: ${record}`)
      for (const mark of marks)
        assert.ok(open.delete(mark), `line ${mark} is in two records, or was never fed: ${record}`)
    }
    return records.length
  }

  return {
    name,
    inputs: 120,
    outcomes: ['records'],
    feed(hostile) {
      const first = lines
      lines += hostile.between(1, LINES_MAX)
      const parts = []
      for (let mark = first; mark < lines; mark++) {
        open.add(mark)
        parts.push(prefix(hostile), contentOf(`#mark-${mark}#`, hostile), Buffer.from('\n'))
      }
      const text = Buffer.concat(parts)
      chain.feed(1, text, { offset })
      offset += text.length
      chain.advance(WAIT_MS)
      return account() > 0 ? 'records' : 'pieces of records'
    },
    close() {
      chain.end()
      chain.advance(WAIT_MS)
      account()
      assert.deepEqual([...open], [], 'lines that are in no record')
    },
  }
}

export const criTarget = (): Target => lineTarget('lines of containers', 'cri', criPrefix)

export const jsonTarget = (): Target => lineTarget('lines of JSON and text', 'lines', () => Buffer.alloc(0))
