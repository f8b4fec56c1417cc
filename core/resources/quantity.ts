import { z } from 'zod';

const SUFFIXES: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};
const FORM =
  /^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)|[eE]([+-]?[0-9]+))?$/;

/** A Kubernetes quantity, never negative: `500m`, `0.5`, `128Mi`, `1e3`. Parses to a number: cores, or bytes. */
export const Quantity = z
  .union([
    z.string().regex(FORM, 'must be a quantity such as 500m, 0.5, 128Mi or 1Gi'),
    z.number().nonnegative(),
  ])
  .transform(quantityValue);

function quantityValue(quantity: string | number): number {
  if (typeof quantity === 'number') return quantity;
  const [, digits = '0', suffix = '', exponent = '0'] = FORM.exec(quantity) ?? [];
  // Rounded to a nano unit, so that 0.1 and 100m are one number.
  return Math.round(Number(digits) * (SUFFIXES[suffix] ?? 1) * 10 ** Number(exponent) * 1e9) / 1e9;
}
