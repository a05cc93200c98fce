"""Words that names and places are made of, the frequent ones first."""

# ruff: noqa: SIM905 - lists of a hundred words, one to a line, would hide the rest

from __future__ import annotations

WOMEN = tuple(
    """Mary Anna Emma Olivia Sophie Maria Laura Julia Sarah Elena Katherine Elizabeth Margaret Susan Linda Patricia
    Jennifer Barbara Jessica Karen Nancy Lisa Sandra Ashley Emily Donna Michelle Carol Amanda Melissa Deborah Stephanie
    Rebecca Sharon Cynthia Kathleen Amy Angela Shirley Brenda Pamela Nicole Samantha Christine Debra Rachel Carolyn
    Janet Catherine Heather Diane Ruth Julie Joyce Victoria Kelly Christina Lauren Joan Evelyn Judith Megan Andrea
    Cheryl Hannah Jacqueline Martha Gloria Teresa Ann Sara Madison Frances Kathryn Janice Jean Abigail Alice Grace
    Judy Denise Amber Doris Marilyn Danielle Beverly Isabella Theresa Diana Natalie Brittany Charlotte Marie Kayla
    Alexis Lori Agnes Beata Zofia Chloe Lucy Freya Ingrid Astrid Greta Heidi Zoë Renée Inès Noémie Siobhan Aoife Niamh
    Fatima Aisha Leila Yasmin Priya Anjali Meera Mei Ling Yuki Sakura Amara Zainab Ngozi Thandi Rosa Carmen Lucía
    Pilar Dolores Bianca Chiara Francesca Giulia Ludmila Svetlana Olga Irina Tatiana Katarzyna Magdalena
    Agnieszka""".split()
)
MEN = tuple(
    """James John Robert Michael William David Richard Joseph Thomas Charles Christopher Daniel Matthew Anthony Mark
    Donald Steven Paul Andrew Joshua Kenneth Kevin Brian George Edward Ronald Timothy Jason Jeffrey Ryan Jacob Gary
    Nicholas Eric Jonathan Stephen Larry Justin Scott Brandon Benjamin Samuel Gregory Frank Alexander Raymond Patrick
    Jack Dennis Jerry Tyler Aaron Jose Adam Henry Nathan Douglas Zachary Peter Kyle Walter Ethan Jeremy Harold Keith
    Christian Roger Noah Gerald Carl Terry Sean Austin Arthur Lawrence Jesse Dylan Bryan Joe Jordan Billy Bruce Albert
    Willie Gabriel Logan Alan Juan Wayne Roy Ralph Randy Eugene Vincent Russell Elijah Louis Bobby Philip Johnny
    Oscar Leon Felix Hugo Emil Anton Lars Sven Bjørn Jürgen Günther Klaus Dieter Étienne François René Luc Yves Liam
    Declan Cormac Omar Hassan Ibrahim Yusuf Ali Ravi Arjun Vikram Sanjay Wei Chen Hiroshi Kenji Kwame Chidi Tunde
    Sipho Carlos Miguel Diego Javier Andrés Marco Luca Giovanni Matteo Vladimir Dmitri Sergei Ivan Piotr Krzysztof
    Tomasz Marek Łukasz""".split()
)
SURNAMES = tuple(
    """Smith Jones Williams Brown Taylor Davies Wilson Evans Thomas Johnson Roberts Walker Wright Robinson Thompson
    White Hughes Edwards Green Hall Wood Harris Lewis Martin Jackson Clarke Clark Turner Hill Scott Cooper Morris Ward
    Moore King Watson Baker Harrison Morgan Patel Young Allen Mitchell James Anderson Phillips Lee Bell Parker Davis
    Bennett Miller Cook Shaw Cox Richardson Carter Collins Gray Hussain Khan Murphy Adams Ali Begum Bailey Ellis
    Marshall Stevens Murray Reid Mason Graham Fox Mills Kelly Webb Simpson Hunt Palmer Holmes Rogers Campbell Lloyd
    Butler Chapman Russell Barnes Knight Stewart Foster Powell Saunders Fisher Harvey Matthews Elliott Jenkins Owen
    Dixon Andrews Barker Pearson Gibson Fletcher Reynolds Stone Howard Brooks Ford Burton Spencer Payne Lawrence
    Nguyen Kowalski Nowak Wiśniewski Wójcik Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Hoffmann
    Schäfer Koch Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange
    Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo Conti Costa Mancini Garcia
    Martinez Lopez Sanchez Perez Gonzalez Rodriguez Fernandez Gómez Díaz Ruiz Alvarez Jimenez Moreno Muñoz Alonso
    Dupont Durand Leroy Moreau Laurent Simon Michel Lefebvre Roux David Bertrand Morel Fournier Girard Bonnet Dubois
    Jansen Bakker Visser Smit Meijer Mulder Bos Vos Peters Hendriks Dekker Brouwer Nielsen Hansen Pedersen Larsen
    Sørensen Rasmussen Petersen Madsen Johansson Karlsson Nilsson Eriksson Olsson Persson Svensson Gustafsson Berg
    Haugen Hagen Kim Park Choi Wang Li Zhang Liu Yang Huang Zhao Wu Zhou Tanaka Suzuki Sato Watanabe Ito Yamamoto
    Singh Kaur Sharma Kumar Gupta Verma Reddy Iyer Nair Das Okafor Adeyemi Mensah Owusu Nkosi Dlamini Mwangi Otieno
    O'Brien O'Connor O'Neill MacDonald McCarthy McKenzie Sullivan Byrne Doyle Gallagher Kennedy Lynch Quinn""".split()
)
STEMS = tuple(
    """Ash Birch Black Brad Bram Bren Brook Buck Cald Cart Chad Charl Clay Cliff Crom Dal Den Dray Dun East Ed Ell Elm
    Fair Farn Fen Ferr Gar Gil Glen Grin Had Hal Ham Harr Hast Hather Hay Heath Hef Hol Horn Hur Ing Kel Ken Kirk Lang
    Led Lin Long Lud Mal Mar Mel Mid Mil Mor Nether New Nor Oak Old Os Pem Pen Pick Rad Raven Red Roth Row Rush Sand
    Sel Shel Sher South Stan Stock Strat Sut Swin Tal Thorn Til Trent Under Wald War Wat Wel West Whit Wil Win Wood
    Yar""".split()
)
MIDDLES = tuple("a al an ar be den der el en er il in ing is le ley ma on or ra ster ton ver ward".split())
ENDINGS = tuple(
    """ton ham ford ley by worth wood field well land man son stead shaw burn bridge combe den dale gate hurst low mere
    more ridge side stone thorpe wick bury ell er ing ock ett ard kin mont grave""".split()
)
STREETS = tuple(
    """High Station Main Park Church London Victoria Green Manor Kings Queens New Grange Mill School North South West
    East Springfield George Alexandra York Windsor Albert Chapel Garden Bridge Highfield Stanley Cross Broadway Orchard
    Elm Oak Ash Beech Cedar Chestnut Hazel Holly Laurel Lime Maple Poplar Rowan Sycamore Willow Hawthorn Meadow Field
    Hill Valley River Lake Spring Well Brook Mount Castle Abbey Priory Rectory Vicarage Market Mayfield Milton Nelson
    Wellington Marlborough Clarence Cambridge Oxford Lancaster Richmond Salisbury Warwick Devonshire Norfolk Suffolk
    Kingsway Parkside Riverside Hillside Woodland Forest Heath Common Moor Quarry Forge Tannery Weaver Potter
    Saddler""".split()
)
WAYS = ("Street", "Road", "Avenue", "Lane", "Close", "Drive", "Way", "Place", "Crescent", "Court")
TOWNS = tuple(
    """Marlow Ashbourne Kelbridge Northwick Harborough Stanmere Oldbury Fenwick Langport Westhaven Thornbury Calderton
    Millbrook Redcastle Eastleigh Whitford Kingsmoor Bramford Highclere Wexley Dunmore Selbourne Hartwell Lowestone
    Greenock Farnham Rushden Penrith Moorgate Glenfield Silverton Holmfirth Ravenglass Tewksley Oakham Saltburn
    Wetherby Linfield Carrick Aldermere Burnside Cranleigh Dovedale Elmswell Frampton Gosforth Haddenham Ilminster
    Jarrow Kirkholm Ludgate Melrose Newhaven Otterburn Petworth Quorndon Romsey Shelford Tiverton Ulverston Ventnor
    Wickham Yarmouth Zeal Arlington Beaumont Clifton Dalton Everton Fulwood Grantham Hexham Ivybridge Kendal""".split()
)
