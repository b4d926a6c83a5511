/** Amounts and numbers as the reader's language writes them. @module */

/**
 * Writes amounts of one currency: no cents from a thousand on, three significant digits below one, since a
 * million tokens may cost a fraction of a cent.
 */
export function moneyFormat(locale: string, currency: string): (amount: number) => string {
  const format = (options: Intl.NumberFormatOptions) =>
    new Intl.NumberFormat(locale, { style: "currency", currency, ...options });
  const large = format({ maximumFractionDigits: 0 });
  const usual = format({});
  const small = format({ maximumSignificantDigits: 3 });
  return (amount) => {
    const size = Math.abs(amount);
    return (size >= 1000 ? large : size >= 1 || size === 0 ? usual : small).format(amount);
  };
}
