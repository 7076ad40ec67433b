// One format measured in a process of its own, so that no other has shaped the compiler's guesses: argument is its name.
import type { ContextFields } from '../../kernel/context.js'
import { createKernel } from '../../kernel/kernel.js'
import { createScanner } from '../../kernel/scanner.js'
import { FORMAT_LINES, TRUST_ALL } from '../../kernel/table.js'
import { type AllocationResult, measureAllocation } from '../harness/allocation.js'
import { CODECS, type LogRecord, sampleLines } from './serialization-codecs.js'

const RECORDS = 1000
const lines = sampleLines(RECORDS)
async function measureCodec(codecName: string): Promise<object> {
  const codec = await CODECS[codecName]?.()
  if (codec === undefined) throw new Error(`there is no codec "${codecName}"`)
  const records = lines.map((line) => JSON.parse(line) as LogRecord)
  const encoded = records.map((record) => Buffer.from(codec.encode(record)))
  // The last one: the first has the number 0, which Protobuf leaves out.
  demandSame(records.at(-1), codec.decode(encoded.at(-1) as Buffer))
  let bytes = 0
  const encode = await measureAllocation(RECORDS, () => {
    bytes = 0
    for (const record of records) bytes += codec.encode(record).length
  })
  let found = 0
  const decode = await measureAllocation(RECORDS, () => {
    for (const each of encoded) if (codec.decode(each) !== undefined) found++
  })
  if (found === 0) throw new Error('nothing was decoded')
  return combine(bytes / RECORDS, encode, decode)
}

/** Numbers may come back as another type (64-bit ones), so what a reader sees is compared. */
function demandSame(record: LogRecord | undefined, decoded: unknown): void {
  const back = JSON.parse(JSON.stringify(decoded)) as Record<string, unknown>
  for (const [key, value] of Object.entries(record ?? {}))
    if (JSON.stringify(back[key]).replaceAll('"', '') !== JSON.stringify(value).replaceAll('"', ''))
      throw new Error(`${key} came back as ${JSON.stringify(back[key])}`)
}

function combine(bytes: number, encode: AllocationResult, decode: AllocationResult): object {
  const nanos = encode.nanosPerRecord + decode.nanosPerRecord
  return {
    nanosPerRecord: nanos,
    encodeNanos: encode.nanosPerRecord,
    decodeNanos: decode.nanosPerRecord,
    bytesPerRecord: bytes,
    recordsPerSecond: 1e9 / nanos,
    garbageBytes: encode.garbageBytes + decode.garbageBytes,
    gcMillisPerMillion: encode.gcMillisPerMillion + decode.gcMillisPerMillion,
  }
}

/** What the pipeline does instead: bytes in, canonical bytes out, no object between them. */
async function measureKernel(): Promise<object> {
  const inputBytes = 1024 * 1024
  const kernel = createKernel({ memoryBytes: 32 * 1024 * 1024 })
  const scanner = createScanner(kernel, {
    inputBytes,
    recordsMax: RECORDS,
    contexts: 1,
    frameBytes: 2 * 1024 * 1024,
    frameRecordsMax: RECORDS,
    seed: 1n,
  })
  const input = Buffer.from(`${lines.join('\n')}\n`)
  const { ptr } = scanner.contexts.render(CONTEXT)
  let bytes = 0
  const both = await measureAllocation(RECORDS, () => {
    scanner.input.set(input)
    const count = scanner.scanLines(
      scanner.inputPtr,
      scanner.inputPtr + input.length,
      FORMAT_LINES,
      CONTEXT.trust,
    )
    if (count !== RECORDS || !scanner.judge(0, count, ptr, 0, () => 1)) throw new Error(`scanned ${count}`)
    scanner.beginFrame()
    if (scanner.emit(0, count, ptr) !== count) throw new Error('the frame was full')
    bytes = scanner.sealInfo().ndjsonBytes
  })
  return {
    nanosPerRecord: both.nanosPerRecord,
    bytesPerRecord: bytes / RECORDS,
    recordsPerSecond: 1e9 / both.nanosPerRecord,
    garbageBytes: both.garbageBytes,
    gcMillisPerMillion: both.gcMillisPerMillion,
  }
}

const CONTEXT: ContextFields = {
  id: 1,
  service_name: 'payment-api',
  log_type: 'app',
  log_level: 0,
  pod_uid: '00000000-0000-4000-8000-000000000000',
  namespace: 'shop',
  cluster_id: 'bench',
  trust: TRUST_ALL,
}

const [name = ''] = process.argv.slice(2)
const result = name === 'kernel' ? await measureKernel() : await measureCodec(name)
process.stdout.write(`${JSON.stringify(result)}\n`)
