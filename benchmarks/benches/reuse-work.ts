// One way to hold records, measured in a process of its own: argument is its name.
import { measureAllocation } from '../harness/allocation.js'
import { HOLDERS } from './reuse-holders.js'

const BATCHES = 64
const [name = ''] = process.argv.slice(2)
const holder = HOLDERS[name]
if (holder === undefined) throw new Error(`there is no holder "${name}"`)
const { batch, records } = holder()
let sum = 0
const result = await measureAllocation(BATCHES * records, () => {
  for (let n = 0; n < BATCHES; n++) sum += batch()
})
if (!(sum > 0)) throw new Error('nothing was summed')
process.stdout.write(`${JSON.stringify(result)}\n`)
