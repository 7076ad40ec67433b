// How the JavaScript engine is set for a node.
import { setFlagsFromString } from 'node:v8'
import { kernelModule } from '../kernel/kernel.js'
import type { WasmModule } from '../kernel/webassembly.js'

/** The version of V8 (that of Node 20) that counts a budget of bytecode; later ones count invocations, and have a cheap compiler between. */
const V8_WITH_BUDGET = '11.'
/** Bytes of bytecode that a function runs before the optimising compiler looks at it; V8's own is 67,584. */
const INTERRUPT_BUDGET = 1_000_000
/** Modules that are compiled from here on stay with the quick compiler's code; for those that were compiled before, nothing changes. */
const NO_WASM_OPTIMISER = ['--no-wasm-dynamic-tiering', '--no-wasm-tier-up']

/**
 * To be called before the first worker starts. The work per record is done in the kernel, which this does not touch; the JavaScript
 * around it runs per batch, and to optimise it as eagerly as V8 does cost a tenth of the CPU of a million records. What is truly hot
 * is still optimised, a little later.
 *
 * The HTTP client's parser is one WebAssembly function of 34 KB. V8 finds it hot after a few answers and spends a tenth of a second on
 * optimising what runs for microseconds. So only the kernel, which is compiled before and handed to the threads (it is returned), is
 * optimised.
 */
export function setEngine(): WasmModule {
  const kernel = kernelModule()
  if (process.versions.v8.startsWith(V8_WITH_BUDGET)) {
    setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`)
    for (const flag of NO_WASM_OPTIMISER) setFlagsFromString(flag)
  }
  return kernel
}
