// `millrace ctl`: tells running nodes what to do, and keeps the cluster's settings.
import { Command } from 'commander'
import { configCommand } from './ctl/config.js'
import { MillraceError } from '../protocol/errors.js'
import { nodesCommand } from './ctl/nodes.js'
import { whichNodes } from './ctl/options.js'
import { streamsCommand } from './ctl/streams.js'
import { tapCommand } from './ctl/tap.js'
import { verbCommands } from './ctl/verbs.js'

export function ctlCommand(): Command {
  const command = new Command('ctl').description(
    'Tells running nodes what to do: the one of the configuration by the socket in its data folder, another with --node or all\n' +
      'with --all over NATS. Each change is logged by the node with who, what and when.',
  )
  for (const option of whichNodes()) command.addOption(option)
  // Before the verb or after it: what is given before it is as if given after.
  command.enablePositionalOptions().hook('preSubcommand', (ctl, verb) => {
    for (const [name, value] of Object.entries(ctl.opts())) {
      if (!verb.options.some((option) => option.attributeName() === name))
        throw new MillraceError(
          'usage.ctl',
          `ctl --${name}: ${verb.name()} is about the cluster, not about a node; leave it out`,
        )
      verb.setOptionValueWithSource(name, value, 'cli')
    }
  })
  for (const verb of verbCommands()) command.addCommand(verb)
  return command
    .addCommand(tapCommand())
    .addCommand(nodesCommand())
    .addCommand(configCommand())
    .addCommand(streamsCommand())
}
