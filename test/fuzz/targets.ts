// What is fuzzed: each target takes one hostile input, answers for it, and says what it did with it.
import assert from 'node:assert/strict'
import { MillraceError } from '../../protocol/errors.js'
import { FRAME_CRC_FROM } from '../../protocol/frame.js'
import { parseRule } from '../../protocol/sampling/dsl.js'
import { printRule } from '../../protocol/sampling/rule-print.js'
import { configText, parse } from '../config/config-text.js'
import { createBench, position } from '../frame/frames.js'
import type { Hostile } from './hostile.js'

export interface Target {
  readonly name: string
  /** Inputs of one round. */
  readonly inputs: number
  /** What must have become of some inputs. */
  readonly outcomes: readonly string[]
  /** Takes one input, made from chance. Throws when it was not accounted for. Returns what became of it. */
  feed(hostile: Hostile): string | Promise<string>
  close?(): Promise<void> | void
}

/** A refusal is one of ours, with a code; anything else is a crash. */
export function refusalOf(run: () => void): string {
  try {
    run()
    return 'taken'
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    assert.ok(error.code !== '' && error.message !== '')
    return 'refused'
  }
}

const EXTRAS = [
  'sampling: { tiers: { info: 0.5 }, rules: [{ when: "level == ERROR", keep: 1 }] }\n',
  'node: { id: "${HOSTNAME:-n}", data_dir: ./data }\nbuffer: { mode: local }\n',
  'audit: { after: 60s }\njournal: { bytes_max: 1GiB, at_bound: block }\nhttp: { listen: "127.0.0.1:0" }\n',
]

export function configTarget(): Target {
  return {
    name: 'configuration files',
    inputs: 100,
    outcomes: ['taken', 'refused'],
    feed(hostile) {
      const whole = Buffer.from(configText({ extra: hostile.oneOf(EXTRAS) }))
      const text = hostile.mutated(whole, hostile.between(1, 6)).toString()
      return refusalOf(() => void parse(text, { HOSTNAME: hostile.json(1) }))
    },
  }
}

const RULES = [
  'error_rate > 0.05 AND p99_latency > 200ms OR status_code IN [500,502,504]',
  'NOT (level == ERROR OR level == FATAL) AND error_rate >= 1e-3',
  'p50_latency < 1.5s AND (status_code == 404 OR status_code != 200)',
]

export function ruleTarget(): Target {
  return {
    name: 'rules of sampling',
    inputs: 1000,
    outcomes: ['taken', 'refused'],
    feed(hostile) {
      const text = hostile.mutated(Buffer.from(hostile.oneOf(RULES)), hostile.between(0, 5)).toString()
      return refusalOf(() => {
        const tree = parseRule(text)
        assert.deepEqual(parseRule(printRule(tree)), tree)
      })
    },
  }
}

/** One kernel for all inputs, as in a node: what an input leaves behind in it would meet the next one. */
export function frameTarget(): Target {
  const { codec, kernel, seal, input } = createBench()
  const records = Array.from({ length: 20 }, (_, n) => ({
    json: `{"log_level":"INFO","message":"record ${n} ${'x'.repeat(n * 7)}"}`,
    tsNs: 1_790_000_000_000_000_000n + BigInt(n),
    stream: n % 3,
    weight: 1,
  }))
  const frames = [seal(records).encoded, codec.seal(input(records, [position(300)])).encoded].map((each) =>
    Buffer.from(each),
  )
  return {
    name: 'frames',
    inputs: 1000,
    outcomes: ['taken', 'refused'],
    feed(hostile) {
      const bytes = hostile.mutated(hostile.oneOf(frames), hostile.between(1, 4))
      // Half of them get past the checksum.
      if (hostile.random() < 0.5 && bytes.length > FRAME_CRC_FROM) {
        bytes.writeUInt32LE(bytes.length, 4)
        bytes.writeUInt32LE(codec.crc32c(bytes.subarray(FRAME_CRC_FROM)), 8)
      }
      return refusalOf(() => {
        const { header, rawPtr, indexPtr } = codec.open(bytes)
        const { count, ndjsonBytes, streams } = header
        assert.equal(kernel.fn.frameCheck(rawPtr, ndjsonBytes, indexPtr, count, streams.length), 1)
      })
    },
  }
}
