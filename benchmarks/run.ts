// `npm run bench -- NAME`: the benchmarks of a checkout, without the command line of the product before them.
import { MillraceError } from '../protocol/errors.js'
import { benchMain } from './main.js'

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
process.once('SIGTERM', () => stop.abort())
try {
  process.exitCode = await benchMain(process.argv.slice(2), stop.signal)
} catch (error) {
  const isUsage = error instanceof MillraceError && error.code.startsWith('usage.')
  process.stderr.write(
    `bench: ${isUsage || !(error instanceof Error) ? String((error as Error).message) : (error.stack ?? error.message)}\n`,
  )
  process.exitCode = isUsage ? 2 : 1
}
