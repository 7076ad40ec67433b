// Options that several commands share.
import { InvalidArgumentError, Option } from 'commander'

export const CONFIG_FILE = 'millrace.yaml'

export const configOption = () => new Option('-c, --config <file>', 'configuration file').default(CONFIG_FILE)
export const jsonOption = () => new Option('--json', 'print JSON instead of text')
export const addressOption = () =>
  new Option('--address <host:port>', "the node's http.listen; default: what the configuration says")

/** For commander: a whole number over 0. */
export function positiveNumber(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new InvalidArgumentError('expected a whole number over 0.')
}
