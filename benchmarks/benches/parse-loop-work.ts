// The reference of the pipeline, as a program of its own: a plain loop that parses every record with JSON.parse, adds a field, and stringifies it.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

const started = performance.now()
let records = 0
let bytes = 0
for (const file of process.argv.slice(2)) {
  for await (const line of createInterface({
    input: createReadStream(file, { highWaterMark: 1024 * 1024 }),
    crlfDelay: Infinity,
  })) {
    const record = JSON.parse(line.slice(line.indexOf('{'))) as Record<string, unknown>
    record.cluster_id = 'bench'
    bytes += JSON.stringify(record).length
    records++
  }
}
const { user, system } = process.cpuUsage()
const seconds = (performance.now() - started) / 1000
process.stdout.write(
  `${JSON.stringify({
    recordsPerSecond: records / seconds,
    recordsPerCpuSecond: records / ((user + system) / 1e6),
    peakRssMegabytes: process.resourceUsage().maxRSS / 1000,
    bytes,
    records,
  })}\n`,
)
