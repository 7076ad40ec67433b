// A process that reads its standard input with the stdin source, and ends on its own while the pipe is still open.
import { stdinSource } from '../../actors/sources/stdin.js'
import { stdinSource as schema } from '../../protocol/config/sources.js'
import { createBench, RECORDS } from './bench.js'

const bench = createBench({
  name: 'in',
  onSlab(slab) {
    process.stdout.write(`slab ${slab.last ? 'last ' : ''}${JSON.stringify(slab.text)}\n`)
    if (!slab.last) setImmediate(() => bench.actor().on.drain?.({ type: 'drain' }, 'supervisor'))
  },
})
const options = schema.parse({ type: 'stdin' })
await bench.start(stdinSource(bench.context, { name: 'in', options, records: RECORDS }))
await bench.until(() => bench.slabs.some((slab) => slab.last), 'the end')
await bench.stop()
process.exit(0)
