// What instances tell each other about themselves, and what they tell the page.
export {};
