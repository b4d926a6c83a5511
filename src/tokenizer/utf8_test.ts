import { assertEquals } from "@std/assert";
import { printableBytes, Utf8Scanner } from "./utf8.ts";

/** Places of each byte by decoding: characters and units before the one that it is in. */
function decodedPlaces(bytes: Uint8Array): [number, number][] {
  const places: [number, number][] = [];
  let at = 0, characters = 0, units = 0;
  while (at < bytes.length) {
    // The longest beginning that decodes to one character is it.
    let length = 1;
    for (let end = at + 1; end <= Math.min(at + 4, bytes.length); end++) {
      const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(at, end));
      if ([...text].length === 1) length = end - at;
    }
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(at, at + length));
    for (let i = 0; i < length; i++) places.push([characters, units]);
    at += length;
    characters++;
    units += text.length;
  }
  return places;
}

Deno.test("Utf8Scanner counts characters and units as a decoder gives them, invalid bytes included", () => {
  let seed = 1;
  const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
  const interesting = [
    0x41,
    0x80,
    0x8f,
    0x90,
    0x9f,
    0xa0,
    0xbf,
    0xc1,
    0xc2,
    0xe0,
    0xe3,
    0xed,
    0xf0,
    0xf3,
    0xf4,
    0xf5,
    0xff,
  ];
  const valid = new TextEncoder().encode("aé\u3042😀\ufeff\ufffd퟿");
  for (let round = 0; round < 3000; round++) {
    const start = random(valid.length);
    const bytes = Uint8Array.from([
      ...valid.subarray(0, start),
      ...Array.from({ length: random(6) }, () => interesting[random(interesting.length)]),
      ...valid.subarray(random(start + 1)),
    ]);
    const scanner = new Utf8Scanner();
    const places = Array.from(bytes, (byte) => {
      scanner.push(byte);
      return [scanner.character, scanner.unit];
    });
    assertEquals(places, decodedPlaces(bytes), `${bytes}`);
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    const unfinished = scanner.isInCharacter ? 1 : 0;
    assertEquals(scanner.nextUnit, text.length - unfinished, `${bytes}`);
    assertEquals(scanner.nextCharacter, [...text].length - unfinished, `${bytes}`);
  }
});

Deno.test("printableBytes() shows texts as they are and parts of characters by their bytes", () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  assertEquals(printableBytes(encode(" あ😀\ufeff\ufffd")), " あ😀\ufeff\ufffd");
  assertEquals(printableBytes([0xe3, 0x81]), "bytes:\\xe3\\x81");
  assertEquals(printableBytes([0x82, 0x61, 0x20, 0x5c, 0x0a]), "bytes:\\x82a \\x5c\\x0a");
  assertEquals(printableBytes([]), "");
});
