// How the JavaScript engine is set for a node.
import { setFlagsFromString } from 'node:v8'

/** The version of V8 (that of Node 20) that counts a budget of bytecode; later ones count invocations, and have a cheap compiler between. */
const V8_WITH_BUDGET = '11.'
/** Bytes of bytecode that a function runs before the optimising compiler looks at it; V8's own is 67,584. */
const INTERRUPT_BUDGET = 1_000_000
/** Modules that are compiled from here on stay with the quick compiler's code; for those that were compiled before, nothing changes. */
const NO_WASM_OPTIMISER = ['--no-wasm-dynamic-tiering', '--no-wasm-tier-up']

/**
 * The work per record is done in the kernel, which this does not touch; the JavaScript around it runs per batch, and to optimise it as
 * eagerly as V8 does cost a tenth of the CPU of a million records. What is truly hot is still optimised, a little later.
 *
 * The HTTP client's parser is one WebAssembly function of 34 KB. V8 finds it hot after a few answers and spends a tenth of a second on
 * optimising what runs for microseconds. So only what was compiled before, which is the kernel, is optimised.
 *
 * To be called when the threads have loaded their modules and have not begun to work: code that was compiled ahead, node's own and
 * ours, is only taken under the flags it was made with.
 */
export function setEngine(): void {
  if (!process.versions.v8.startsWith(V8_WITH_BUDGET)) return
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`)
  for (const flag of NO_WASM_OPTIMISER) setFlagsFromString(flag)
}
