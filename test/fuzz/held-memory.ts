// What a piece of work keeps in memory: measured after the collector has been made to run.
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Heap and buffers in use, bytes. Finalizers get their turn. */
export async function heldBytes(): Promise<number> {
  for (let times = 0; times < 3; times++) {
    collect()
    await turn()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
