/** Words that names and texts are put together from. */

export const FIRST_NAMES = words(
  `Ada Bruno Chloé Dmitri Elif Farid Grace Hanna Ines Jonas Kofi Lena Marek Nadia Oskar Priya Quentin Rosa Søren
   Tamar Uli Vera Wei Ximena Yusuf Zoë Amara Björn Carla Diego Emeka Fatou Gustav Haruka Ivan Jasmin Kenji Laila`,
);
export const LAST_NAMES = words(
  `Lovelace Müller Núñez Okafor Dahl Kowalski Tanaka Fischer Moreau Rossi Silva Haddad Novak Jensen Yıldız Petrov
   Schneider Bianchi Osei Lindqvist Costa Weber Nakamura Dubois Mbeki Horváth Keller Andersson Romano Suzuki`,
);
export const CITIES = words(
  `Berlin Zürich Oslo Nairobi Łódź Lyon Porto Québec Göteborg Sapporo Valparaíso Accra Izmir Tallinn Graz Leipzig
   Antwerp Bristol Turin Kraków Malmö Sevilla Utrecht Galway Basel Nantes Tartu Bergen Ostrava Split`,
);
export const COUNTRIES = words('DE CH NO KE PL FR PT CA SE JP CL GH TR EE AT BE GB IT ES NL IE CZ HR');
export const STREETS = words(
  `Hauptstraße Bahnhofstraße Storgata Kirchweg Lindenallee Ringgasse Hafenkai Mühlbach Schulgasse Gartenweg
   Highfield Millbrook Oakdale Riverside Northgate Parkway Harbourview Churchill Stationroad Eastcliff`,
);
export const ADJECTIVES = words(
  `walnut brass dotted dimmable folding insulated woven enamel compact waterproof handmade recycled cordless
   stackable padded tempered magnetic foldable lined glazed`,
);
export const NOUNS = words(
  `lamp bell notebook jacket kettle recorder backpack chair teapot headphones scarf bicycle cabinet blanket keyboard
   tripod mirror skillet bookshelf thermos lantern suitcase wallet apron`,
);
export const REMARKS = [
  'checked by hand',
  'said to be urgent, the customer called twice',
  'leave it with the neighbours if nobody opens',
  'as agreed on the phone',
  'second attempt after the first one was refused',
  'rounding difference, see the closing of last month',
  'please call before delivery',
  'weighed again at the counter',
] as const;
export const USER_AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Firefox/131.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) AppleWebKit/605.1.15',
  'ShopApp/8.14.2 (Android 14)',
  'ShopApp/8.13.0 (iOS 17.5)',
] as const;

function words(text: string): readonly string[] {
  return text.split(/\s+/);
}
