// `millrace bench`: the benchmarks and the load generator, for users to measure their own machine with.
import { Command } from 'commander'
import { benchMain } from '../benchmarks/main.js'
import { onInterrupt } from './interrupt.js'

/** Each benchmark declares and explains its options itself, so all words are passed on as they are. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('measure this machine; without a name it lists what there is')
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: readonly string[]) => {
      const { signal, end } = onInterrupt()
      try {
        process.exitCode = await benchMain(words, signal)
      } finally {
        end()
      }
    })
}
